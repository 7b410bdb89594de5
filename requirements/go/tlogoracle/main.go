// Command tlogoracle checks proofs and signed notes with other people's code: golang.org/x/mod/sumdb and
// transparency-dev/merkle. It reads JSON lines of claims and writes a line of verdicts for each.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type claim struct {
	Kind   string   `json:"kind"` // inclusion, consistency or note
	Leaf   []byte   `json:"leaf"`
	Index  int64    `json:"index"`
	First  int64    `json:"first"`
	Old    []byte   `json:"old"`
	Size   int64    `json:"size"`
	Root   []byte   `json:"root"`
	Hashes [][]byte `json:"hashes"`
	Note   string   `json:"note"`
	Key    string   `json:"key"`
}

func hash(data []byte) (out tlog.Hash) {
	copy(out[:], data)
	return out
}

func sumdb(c claim) error {
	path := make([]tlog.Hash, 0, len(c.Hashes))
	for _, item := range c.Hashes {
		path = append(path, hash(item))
	}
	switch c.Kind {
	case "inclusion":
		return tlog.CheckRecord(path, c.Size, hash(c.Root), c.Index, hash(c.Leaf))
	case "consistency":
		return tlog.CheckTree(path, c.Size, hash(c.Root), c.First, hash(c.Old))
	}
	verifier, err := note.NewVerifier(c.Key)
	if err != nil {
		return err
	}
	_, err = note.Open([]byte(c.Note), note.VerifierList(verifier))
	return err
}

func merkle(c claim) error {
	hasher := rfc6962.DefaultHasher
	switch c.Kind {
	case "inclusion":
		return proof.VerifyInclusion(hasher, uint64(c.Index), uint64(c.Size), c.Leaf, c.Hashes, c.Root)
	case "consistency":
		return proof.VerifyConsistency(hasher, uint64(c.First), uint64(c.Size), c.Hashes, c.Old, c.Root)
	}
	return sumdb(c)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), 1<<24)
	for lines.Scan() {
		var c claim
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		fmt.Println(sumdb(c) == nil, merkle(c) == nil)
	}
}
