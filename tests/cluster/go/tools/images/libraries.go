package main

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

var libraryFolders = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64"}

// withLibraries is the program at its place in the image, followed by the
// loader and every library it needs, at the places the loader looks for them.
func withLibraries(program, place string) (Layer, error) {
	layer := Layer{{Path: place, From: program, Mode: 0o755}}
	seen := map[string]bool{}
	var follow func(string) error
	follow = func(file string) error {
		binary, err := elf.Open(file)
		if err != nil {
			return err
		}
		defer binary.Close()
		needed, err := binary.ImportedLibraries()
		if err != nil {
			return err
		}
		if loader := loaderOf(binary); loader != "" {
			needed = append(needed, loader)
		}
		for _, name := range needed {
			if seen[name] {
				continue
			}
			seen[name] = true
			library, err := find(name)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			layer = append(layer, Item{Path: library, From: library, Mode: 0o755})
			if err := follow(library); err != nil {
				return err
			}
		}
		return nil
	}
	err := follow(program)
	return layer, err
}

func loaderOf(binary *elf.File) string {
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			name := make([]byte, segment.Filesz)
			if _, err := segment.ReadAt(name, 0); err == nil {
				return strings.TrimRight(string(name), "\x00")
			}
		}
	}
	return ""
}

func find(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, folder := range libraryFolders {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("library %s is not on this host", name)
}
