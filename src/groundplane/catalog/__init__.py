"""What is known of Kubernetes, runtimes, kubeadm and kernels, as data with source and date."""
