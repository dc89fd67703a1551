// Makes a volume for each claim of a StorageClass whose provisioner is ours:
// a folder on the node and a PersistentVolume bound to the claim; removes both
// when the claim is gone. It asks the API server twice a second, as itself, so
// that tests find nothing of it in what they filter from the audit log.
//
// usage: provisioner SERVER CA CERT KEY NODE FOLDER
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const name = "prom-fix.test/folder"

// The class's parameters; a claim's annotations prom-fix.test/type and
// prom-fix.test/owner come first.
type settings struct {
	kind  string // local (honours fsGroup) or hostpath (does not)
	owner string // uid:gid:mode of the folder
}

type meta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	UID         string            `json:"uid,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type class struct {
	Metadata      meta              `json:"metadata"`
	Provisioner   string            `json:"provisioner"`
	ReclaimPolicy string            `json:"reclaimPolicy"`
	Parameters    map[string]string `json:"parameters"`
}

type claim struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		StorageClassName string   `json:"storageClassName"`
		VolumeName       string   `json:"volumeName"`
		AccessModes      []string `json:"accessModes"`
		Resources        struct {
			Requests map[string]string `json:"requests"`
		} `json:"resources"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

type volume struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		ReclaimPolicy string `json:"persistentVolumeReclaimPolicy"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

type list[T any] struct {
	Items []T `json:"items"`
}

type provisioner struct {
	server, node, folder string
	client               *http.Client
}

func main() {
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: provisioner SERVER CA CERT KEY NODE FOLDER")
		os.Exit(2)
	}
	client, err := clientFor(os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	p := &provisioner{server: os.Args[1], client: client, node: os.Args[5], folder: os.Args[6]}
	for ; ; time.Sleep(500 * time.Millisecond) {
		if err := p.round(); err != nil {
			log.Print(err)
		}
	}
}

func clientFor(ca, cert, key string) (*http.Client, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: pool, Certificates: []tls.Certificate{pair}}},
	}, nil
}

func (p *provisioner) round() error {
	var classes list[class]
	var claims list[claim]
	var volumes list[volume]
	if err := errors.Join(
		p.call("GET", "/apis/storage.k8s.io/v1/storageclasses", nil, &classes),
		p.call("GET", "/api/v1/persistentvolumeclaims", nil, &claims),
		p.call("GET", "/api/v1/persistentvolumes", nil, &volumes),
	); err != nil {
		return err
	}
	exists := map[string]bool{}
	var failed error
	for _, v := range volumes.Items {
		exists[v.Metadata.Name] = true
		if v.Metadata.Annotations["pv.kubernetes.io/provisioned-by"] == name &&
			v.Status.Phase == "Released" && v.Spec.ReclaimPolicy == "Delete" {
			failed = errors.Join(failed, p.remove(v.Metadata.Name))
		}
	}
	for _, c := range claims.Items {
		for _, k := range classes.Items {
			if k.Provisioner == name && k.Metadata.Name == c.Spec.StorageClassName &&
				c.Status.Phase == "Pending" && c.Spec.VolumeName == "" && !exists["pvc-"+c.Metadata.UID] {
				failed = errors.Join(failed, p.make(k, c))
			}
		}
	}
	return failed
}

func (p *provisioner) make(k class, c claim) error {
	wanted := settings{kind: k.Parameters["type"], owner: k.Parameters["owner"]}
	if kind := c.Metadata.Annotations["prom-fix.test/type"]; kind != "" {
		wanted.kind = kind
	}
	if owner := c.Metadata.Annotations["prom-fix.test/owner"]; owner != "" {
		wanted.owner = owner
	}
	volumeName := "pvc-" + c.Metadata.UID
	folder := filepath.Join(p.folder, volumeName)
	if err := makeFolder(folder, wanted.owner); err != nil {
		return fmt.Errorf("claim %s/%s: %w", c.Metadata.Namespace, c.Metadata.Name, err)
	}
	spec := map[string]any{
		"capacity":                      map[string]string{"storage": c.Spec.Resources.Requests["storage"]},
		"accessModes":                   c.Spec.AccessModes,
		"persistentVolumeReclaimPolicy": k.ReclaimPolicy,
		"storageClassName":              k.Metadata.Name,
		"claimRef": map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
			"namespace": c.Metadata.Namespace, "name": c.Metadata.Name, "uid": c.Metadata.UID},
		"nodeAffinity": map[string]any{"required": map[string]any{
			"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{map[string]any{
				"key": "kubernetes.io/hostname", "operator": "In", "values": []string{p.node}}}}}}},
	}
	switch wanted.kind {
	case "hostpath":
		spec["hostPath"] = map[string]string{"path": folder, "type": "Directory"}
	default:
		spec["local"] = map[string]string{"path": folder}
	}
	log.Printf("volume %s for claim %s/%s", volumeName, c.Metadata.Namespace, c.Metadata.Name)
	return p.call("POST", "/api/v1/persistentvolumes", map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": meta{Name: volumeName,
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": name}},
		"spec": spec,
	}, nil)
}

func (p *provisioner) remove(volumeName string) error {
	log.Printf("volume %s is released: removing it", volumeName)
	if err := p.call("DELETE", "/api/v1/persistentvolumes/"+volumeName, nil, nil); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(p.folder, volumeName))
}

func makeFolder(folder, owner string) error {
	fields := strings.Split(owner, ":")
	if len(fields) != 3 {
		return fmt.Errorf("owner %q is not uid:gid:mode", owner)
	}
	uid, uidErr := strconv.Atoi(fields[0])
	gid, gidErr := strconv.Atoi(fields[1])
	mode, modeErr := strconv.ParseUint(fields[2], 8, 32)
	if err := errors.Join(uidErr, gidErr, modeErr); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.Chown(folder, uid, gid); err != nil {
		return err
	}
	// The system's own call: os.Chmod spells the setgid bit in its own way.
	return syscall.Chmod(folder, uint32(mode))
}

func (p *provisioner) call(verb, path string, body, into any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(verb, p.server+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", verb, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
