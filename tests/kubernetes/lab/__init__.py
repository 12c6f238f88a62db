"""A Kubernetes of one node on this machine, without Docker: real components, in a network of their own.

    needs     what it takes of a machine
    build     packages of Debian, the binaries by Go, the image by buildah: from nothing, once
    network   a network namespace with the pods' bridge; whatever is started in it is seen nowhere else
    pki       certificates and kubeconfigs
    cluster   etcd, API server, controllers, scheduler, containerd, kubelet, kube-proxy, network policies

`python -m tests.kubernetes.lab` builds what is missing, and runs pytest in the network.
"""
