// tessera appends made-up entries to a new log by Tessera's POSIX storage, as fast as it takes them, and prints
// how long it took until a published checkpoint covered them all: the peer in bench/journal_append.py.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		log.Fatalf("not a count: %q", text)
	}
	return value
}

// Usage: tessera FOLDER BATCH COUNT BYTES
func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: tessera FOLDER BATCH COUNT BYTES")
	}
	folder, batch, count, size := os.Args[1], number(os.Args[2]), number(os.Args[3]), number(os.Args[4])
	ctx := context.Background()
	key, _, err := note.GenerateKey(rand.Reader, "log.example.com")
	if err != nil {
		log.Fatal(err)
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		log.Fatal(err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: folder})
	if err != nil {
		log.Fatal(err)
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(uint(batch), 50*time.Millisecond).
		WithPushback(uint(count)).
		WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		log.Fatal(err)
	}
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)
	entries := make([][]byte, count)
	for i := range entries {
		entries[i] = make([]byte, size)
		if _, err := rand.Read(entries[i]); err != nil {
			log.Fatal(err)
		}
	}
	start := time.Now()
	futures := make([]tessera.IndexFuture, count)
	for i, entry := range entries {
		futures[i] = appender.Add(ctx, tessera.NewEntry(entry))
	}
	for _, future := range futures {
		if _, err := future(); err != nil {
			log.Fatal(err)
		}
	}
	if _, _, err := await.Await(ctx, futures[count-1]); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.6f\n", time.Since(start).Seconds())
	if err := shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}
