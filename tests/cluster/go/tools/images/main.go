// Makes the container images of the test cluster from programs on this host:
// one archive for `ctr images import`. No registry is involved; a cluster that
// names an image which is not in this list gets ErrImagePull, as it should.
//
// usage: images OUT  (the folders of the parts and the versions come from the
// environment, see tests/cluster/build)
package main

import (
	"fmt"
	"os"
)

const (
	passwd = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
	group  = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n"
	// The image's own configuration scrapes Prometheus itself, so a pod that
	// mounts none comes up all the same.
	config = "global:\n  scrape_interval: 15s\nscrape_configs:\n- job_name: prometheus\n  static_configs:\n  - targets: [\"localhost:9090\"]\n"
)

var applets = []string{
	"ash", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "du", "echo", "env", "false",
	"find", "free", "grep", "head", "hostname", "id", "kill", "ln", "ls", "mkdir", "mv", "nc",
	"netstat", "nslookup", "ping", "ps", "rm", "sed", "sh", "sleep", "sort", "stat", "sync", "tail",
	"tar", "test", "touch", "tr", "true", "truncate", "vi", "wc", "wget", "xxd",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: images OUT")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func write(name string) error {
	images, err := list()
	if err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	archive := NewArchive(file)
	for _, image := range images {
		if err := archive.Add(image); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return file.Close()
}

func list() ([]Image, error) {
	users := Layer{
		{Path: "/etc/passwd", Text: passwd, Mode: 0o644},
		{Path: "/etc/group", Text: group, Mode: 0o644},
		{Path: "/tmp", Mode: 0o1777},
	}
	shell := Layer{{Path: "/bin/busybox", From: part("debian") + "/bin/busybox", Mode: 0o755}}
	for _, applet := range applets {
		shell = append(shell, Item{Path: "/bin/" + applet, To: "busybox"})
	}
	images := []Image{
		{
			Refs:   []string{"registry.k8s.io/pause:3.10"},
			Layers: []Layer{shell},
			// A Go program here would add a megabyte to what the kernel counts
			// against the memory limit of every pod.
			Entrypoint: []string{"/bin/sleep", "2000000000"},
		},
		{
			Refs: []string{"docker.io/library/busybox:1", "docker.io/library/busybox:1.35"},
			Layers: []Layer{shell, users,
				{{Path: "/bin/probe", From: part("tools") + "/probe", Mode: 0o755}}},
			Cmd: []string{"sh"},
		},
		{
			Refs:       []string{"registry.k8s.io/coredns/coredns:v" + env("COREDNS")},
			Layers:     []Layer{{{Path: "/coredns", From: part("coredns") + "/coredns", Mode: 0o755}}},
			Entrypoint: []string{"/coredns"},
		},
		operator("prometheus-operator", "operator", "operator", "OPERATOR"),
		operator("prometheus-config-reloader", "prometheus-config-reloader", "operator", "OPERATOR"),
		operator("prometheus-operator", "operator", "operator-new", "OPERATOR_NEW"),
		operator("prometheus-config-reloader", "prometheus-config-reloader", "operator-new", "OPERATOR_NEW"),
	}
	debian, err := withLibraries(part("debian")+"/usr/bin/prometheus", "/bin/prometheus")
	if err != nil {
		return nil, err
	}
	for _, prometheus := range []struct {
		version string
		program Layer
	}{
		{env("PROMETHEUS_FROM_DEBIAN"), debian},
		{env("PROMETHEUS_OLD"), Layer{
			{Path: "/bin/prometheus", From: part("prometheus-old") + "/prometheus", Mode: 0o755}}},
		{env("PROMETHEUS_NEW"), Layer{
			{Path: "/bin/prometheus", From: part("prometheus-new") + "/prometheus", Mode: 0o755}}},
	} {
		ref := "quay.io/prometheus/prometheus:v" + prometheus.version
		with := prometheusImage(ref, "nobody", 65534, prometheus.program, users)
		with.Layers = append(with.Layers, shell)
		without := prometheusImage(ref+"-distroless", "65532:65532", 65532, prometheus.program, users)
		images = append(images, with, without)
	}
	return images, nil
}

// prometheusImage has the layout of the official image. The large layer is the
// first, so that both flavours of a version share it.
func prometheusImage(ref, user string, uid int, program, users Layer) Image {
	data := append(Layer{
		{Path: "/etc/prometheus", Mode: 0o755, UID: uid},
		{Path: "/etc/prometheus/prometheus.yml", Text: config, Mode: 0o644, UID: uid},
		{Path: "/prometheus", Mode: 0o755, UID: uid},
	}, users...)
	return Image{
		Refs:       []string{ref},
		Layers:     []Layer{program, data},
		User:       user,
		Entrypoint: []string{"/bin/prometheus"},
		Cmd: []string{
			"--config.file=/etc/prometheus/prometheus.yml",
			"--storage.tsdb.path=/prometheus",
		},
		WorkingDir: "/prometheus",
		Volumes:    []string{"/prometheus"},
		Ports:      []string{"9090/tcp"},
	}
}

func operator(name, program, from, version string) Image {
	return Image{
		Refs:       []string{"quay.io/prometheus-operator/" + name + ":v" + env(version)},
		Layers:     []Layer{{{Path: "/bin/" + program, From: part(from) + "/" + program, Mode: 0o755}}},
		User:       "65534",
		Entrypoint: []string{"/bin/" + program},
	}
}

func part(name string) string { return env("PARTS") + "/" + name }

func env(name string) string {
	value := os.Getenv(name)
	if value == "" {
		fmt.Fprintf(os.Stderr, "images: %s is not set\n", name)
		os.Exit(2)
	}
	return value
}
