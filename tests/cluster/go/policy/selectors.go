package main

import (
	"fmt"
	"maps"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selectors lets Kubernetes' own code evaluate every selector, and leaves the simulator with the
// results: v0.5.6 takes NotIn not to match where the key is absent, and Kubernetes does
// (apimachinery pkg/labels/selector.go Matches).
type selectors struct {
	ends []*end
	next int
}

func (s *selectors) resolve(policies []*networkingv1.NetworkPolicy) error {
	// What labels were there stays out of reach of what the selectors become.
	originals := make([]end, len(s.ends))
	for i, one := range s.ends {
		originals[i] = *one
		one.Labels, one.NamespaceLabels = map[string]string{}, map[string]string{}
	}
	for _, policy := range policies {
		var peers []networkingv1.NetworkPolicyPeer
		for _, rule := range policy.Spec.Ingress {
			peers = append(peers, rule.From...)
		}
		for _, rule := range policy.Spec.Egress {
			peers = append(peers, rule.To...)
		}
		all := []*metav1.LabelSelector{&policy.Spec.PodSelector}
		for _, peer := range peers {
			all = append(all, peer.PodSelector, peer.NamespaceSelector)
		}
		for _, selector := range all {
			if selector == nil {
				continue
			}
			if err := s.one(selector, originals); err != nil {
				return err
			}
		}
	}
	return nil
}

// one marks what the selector matches with a label of its own, and asks for that instead.
func (s *selectors) one(selector *metav1.LabelSelector, originals []end) error {
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return err
	}
	mark := map[string]string{fmt.Sprintf("selected-%d", s.next): "yes"}
	s.next++
	for i, original := range originals {
		if matcher.Matches(labels.Set(original.Labels)) {
			maps.Copy(s.ends[i].Labels, mark)
		}
		if matcher.Matches(labels.Set(original.NamespaceLabels)) {
			maps.Copy(s.ends[i].NamespaceLabels, mark)
		}
	}
	*selector = metav1.LabelSelector{MatchLabels: mark}
	return nil
}
