package main

import (
	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// networkPolicies judges each new connection that the kernel puts into queue 100 by the cluster's NetworkPolicies.
// It is the main program of kube-network-policies, with a kubeconfig in the place of a pod's service account.
func networkPolicies() *cobra.Command {
	var kubeconfig, node string
	command := &cobra.Command{Use: "network-policies", RunE: func(command *cobra.Command, _ []string) error {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		factory := informers.NewSharedInformerFactory(client, 0)
		controller, err := networkpolicy.NewController(client,
			factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(), factory.Core().V1().Pods(),
			nil, nil, nil, nil, networkpolicy.Config{QueueID: 100, NodeName: node})
		if err != nil {
			return err
		}
		factory.Start(command.Context().Done())
		return controller.Run(command.Context())
	}}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&node, "node", "", "the name of this node")
	return command
}
