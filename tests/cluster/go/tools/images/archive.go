package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// A Layer is a list of things to lay down, in order.
type Layer []Item

// An Item is a file copied from the host (From), a file with the given Text,
// a symbolic link (To) or, with none of these, a directory.
type Item struct {
	Path string
	From string
	Text string
	To   string
	Mode int64
	UID  int
}

type Image struct {
	Refs       []string
	Layers     []Layer
	User       string
	Entrypoint []string
	Cmd        []string
	WorkingDir string
	Volumes    []string
	Ports      []string
}

// Archive is a docker-archive: one tar file with many images, in which a layer
// that several of them share is written once.
type Archive struct {
	out      *tar.Writer
	written  map[string]bool
	manifest []manifestEntry
}

type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func NewArchive(out io.Writer) *Archive {
	return &Archive{out: tar.NewWriter(out), written: map[string]bool{}}
}

func (a *Archive) Add(image Image) error {
	entry := manifestEntry{RepoTags: image.Refs}
	var diffIDs []string
	for _, layer := range image.Layers {
		bytes, err := layer.tar()
		if err != nil {
			return fmt.Errorf("%s: %w", image.Refs[0], err)
		}
		digest := digestOf(bytes)
		name := digest + "/layer.tar"
		if err := a.write(name, bytes); err != nil {
			return err
		}
		entry.Layers = append(entry.Layers, name)
		diffIDs = append(diffIDs, "sha256:"+digest)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64",
		"os":           "linux",
		"rootfs":       map[string]any{"type": "layers", "diff_ids": diffIDs},
		"config": map[string]any{
			"User":         image.User,
			"Entrypoint":   image.Entrypoint,
			"Cmd":          image.Cmd,
			"WorkingDir":   image.WorkingDir,
			"Volumes":      keys(image.Volumes),
			"ExposedPorts": keys(image.Ports),
			"Env":          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		},
	})
	if err != nil {
		return err
	}
	entry.Config = digestOf(config) + ".json"
	a.manifest = append(a.manifest, entry)
	return a.write(entry.Config, config)
}

func (a *Archive) Close() error {
	manifest, err := json.Marshal(a.manifest)
	if err != nil {
		return err
	}
	if err := a.write("manifest.json", manifest); err != nil {
		return err
	}
	return a.out.Close()
}

func (a *Archive) write(name string, content []byte) error {
	if a.written[name] {
		return nil
	}
	a.written[name] = true
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}
	if err := a.out.WriteHeader(header); err != nil {
		return err
	}
	_, err := a.out.Write(content)
	return err
}

// tar gives the same bytes for the same content: no times, no host's owners.
func (l Layer) tar() ([]byte, error) {
	var buffer bytes.Buffer
	out := tar.NewWriter(&buffer)
	made := map[string]bool{".": true, "/": true}
	var parents func(string) error
	parents = func(dir string) error {
		if made[dir] {
			return nil
		}
		if err := parents(path.Dir(dir)); err != nil {
			return err
		}
		made[dir] = true
		return out.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755})
	}
	for _, item := range l {
		if err := parents(path.Dir(item.Path)); err != nil {
			return nil, err
		}
		header := &tar.Header{
			Name: strings.TrimPrefix(item.Path, "/"), Mode: item.Mode, Uid: item.UID, Gid: item.UID}
		content := []byte(item.Text)
		switch {
		case item.To != "":
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, item.To, 0o777
		case item.From != "":
			var err error
			if content, err = os.ReadFile(item.From); err != nil {
				return nil, err
			}
		case item.Text == "":
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
			made[item.Path] = true
		}
		header.Size = int64(len(content))
		if err := out.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := out.Write(content); err != nil {
			return nil, err
		}
	}
	err := out.Close()
	return buffer.Bytes(), err
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func keys(names []string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}
