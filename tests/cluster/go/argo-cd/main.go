// Argo CD's controllers, what renders manifests for them, and the cache that they share, in one
// program that needs neither its user interface nor Redis:
//
//	argo-cd application-controller|applicationset-controller|repo-server FLAGS...
//	argo-cd cache ADDRESS
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	applications "github.com/argoproj/argo-cd/v2/cmd/argocd-application-controller/commands"
	sets "github.com/argoproj/argo-cd/v2/cmd/argocd-applicationset-controller/commands"
	repositories "github.com/argoproj/argo-cd/v2/cmd/argocd-repo-server/commands"
	"github.com/spf13/cobra"
)

func main() {
	if len(os.Args) < 2 {
		fail("which of application-controller, applicationset-controller, repo-server, cache?")
	}
	var command *cobra.Command
	switch os.Args[1] {
	case "application-controller":
		command = applications.NewCommand()
	case "applicationset-controller":
		command = sets.NewCommand()
	case "repo-server":
		command = repositories.NewCommand()
	case "cache":
		serve(os.Args[2:])
		return
	default:
		fail(fmt.Sprintf("%q is none of its programs", os.Args[1]))
	}
	command.SetArgs(os.Args[2:])
	if err := command.Execute(); err != nil {
		fail(err.Error())
	}
}

// serve answers as Redis does until it is told to end.
func serve(args []string) {
	if len(args) != 1 {
		fail("cache needs an address to listen at")
	}
	cache := miniredis.NewMiniRedis()
	if err := cache.StartAddr(args[0]); err != nil {
		fail(err.Error())
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	cache.Close()
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "argo-cd:", why)
	os.Exit(1)
}
