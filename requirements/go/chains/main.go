// Command chains signs a finished TaskRun with Tekton Chains' own code, as its controller does: the payload by
// formats/slsa/v2alpha4, the envelope by signing.Wrap, the annotations by storage/tekton. It reads the TaskRun
// (JSON) on stdin and the key (PEM, PKCS #8) from the file that is named, and writes the TaskRun as the cluster
// would hold it. The cluster is a loopback server that takes one patch.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/tektoncd/chains/pkg/chains/formats/slsa/v2alpha4"
	"github.com/tektoncd/chains/pkg/chains/objects"
	"github.com/tektoncd/chains/pkg/chains/signing"
	"github.com/tektoncd/chains/pkg/chains/storage/tekton"
	"github.com/tektoncd/chains/pkg/config"
	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"github.com/tektoncd/pipeline/pkg/client/clientset/versioned"
	"google.golang.org/protobuf/encoding/protojson"
	"k8s.io/client-go/rest"
)

// keySigner is Chains' signer with an x509 key (signing/x509), without what else that package links.
type keySigner struct{ signature.SignerVerifier }

func (keySigner) Type() string  { return signing.TypeX509 }
func (keySigner) Cert() string  { return "" }
func (keySigner) Chain() string { return "" }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx := context.Background()
	if len(os.Args) != 2 {
		return errors.New("usage: chains KEY.pem < taskrun.json")
	}
	signer, err := load(os.Args[1])
	if err != nil {
		return err
	}
	read, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var task v1.TaskRun
	if err := json.Unmarshal(read, &task); err != nil {
		return err
	}
	object := objects.NewTaskRunObjectV1(&task)
	format, err := v2alpha4.NewFormatter(config.Config{
		Builder:         config.BuilderConfig{ID: "https://chains.example/builder"},
		BuildDefinition: config.BuildDefinitionConfig{BuildType: "https://tekton.dev/chains/v2/slsa"},
	})
	if err != nil {
		return err
	}
	created, err := format.CreatePayload(ctx, object)
	if err != nil {
		return err
	}
	statement, ok := created.(intoto.Statement)
	if !ok {
		return fmt.Errorf("a payload of type %T", created)
	}
	payload, err := protojson.Marshal(&statement)
	if err != nil {
		return err
	}
	wrapped, err := signing.Wrap(signer)
	if err != nil {
		return err
	}
	envelope, err := wrapped.SignMessage(bytes.NewReader(payload))
	if err != nil {
		return err
	}
	return store(ctx, object, read, payload, string(envelope))
}

func load(path string) (signing.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	loaded, err := signature.LoadSignerVerifier(key, crypto.SHA256)
	return keySigner{loaded}, err
}

func store(ctx context.Context, object objects.TektonObject, task, payload []byte, envelope string) error {
	var patch struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(task)
	}))
	defer cluster.Close()
	client, err := versioned.NewForConfig(&rest.Config{Host: cluster.URL})
	if err != nil {
		return err
	}
	options := config.StorageOpts{ShortKey: "taskrun-" + string(object.GetUID())}
	if err := tekton.NewStorageBackend(client).StorePayload(ctx, object, payload, envelope, options); err != nil {
		return err
	}
	var stored map[string]any
	if err := json.Unmarshal(task, &stored); err != nil {
		return err
	}
	metadata, ok := stored["metadata"].(map[string]any)
	if !ok {
		return errors.New("a run without metadata")
	}
	metadata["annotations"] = patch.Metadata.Annotations
	return json.NewEncoder(os.Stdout).Encode(stored)
}
