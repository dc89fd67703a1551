// What NetworkPolicies say of connections, by a simulator that was not written for this project
// (github.com/mattfenwick/cyclonus, behind a suite that network plugins are tested with): the
// oracle for our own verdict.
//
// Cases are JSON lines on stdin, rulings JSON lines on stdout, in the same order.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

type end struct {
	// Set for a pod; else it is an address outside of the cluster.
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	Labels          map[string]string `json:"labels"`
	IP              string            `json:"ip"`
}

type question struct {
	Policies []*networkingv1.NetworkPolicy `json:"policies"`
	Client   end                           `json:"client"`
	Server   end                           `json:"server"`
	Port     int                           `json:"port"`
	// As the server's pod names the port.
	PortName string `json:"portName"`
	Protocol string `json:"protocol"`
}

type ruling struct {
	Ingress bool `json:"ingress"`
	Egress  bool `json:"egress"`
}

func (e end) peer() *matcher.TrafficPeer {
	peer := &matcher.TrafficPeer{IP: e.IP}
	if e.Namespace != "" {
		peer.Internal = &matcher.InternalPeer{
			PodLabels:       e.Labels,
			NamespaceLabels: e.NamespaceLabels,
			Namespace:       e.Namespace,
		}
	}
	return peer
}

func main() {
	log.SetFlags(0)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			log.Fatalf("%s: %v", in.Text(), err)
		}
		resolver := selectors{ends: []*end{&asked.Client, &asked.Server}}
		if err := resolver.resolve(asked.Policies); err != nil {
			log.Fatalf("%s: %v", in.Text(), err)
		}
		policy := matcher.BuildNetworkPolicies(false, asked.Policies)
		found := policy.IsTrafficAllowed(&matcher.Traffic{
			Source:           asked.Client.peer(),
			Destination:      asked.Server.peer(),
			ResolvedPort:     asked.Port,
			ResolvedPortName: asked.PortName,
			Protocol:         corev1.Protocol(asked.Protocol),
		})
		ruling := ruling{Ingress: found.Ingress.IsAllowed(), Egress: found.Egress.IsAllowed()}
		if err := out.Encode(ruling); err != nil {
			log.Fatal(err)
		}
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
}
