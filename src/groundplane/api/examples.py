"""One example per kind, as the documents show it. A test holds each against schema and validation."""

from __future__ import annotations

FOUNDATION = """\
apiVersion: groundplane.dev/v1alpha1
kind: Foundation
metadata:
  name: production
  namespace: default
spec:
  operatingSystem:
    recommended:
      - id: debian
        versions: ["12"]
    allowed:
      - id: ubuntu
        versions: ["22.04", "24.04"]
    kernel:
      minimum: 5.4.119
    settings:
      swap: Disabled
      timeSync: Required
  kubernetes:
    distribution: native
    version: v1.20.2
  runtime:
    name: containerd
    version: ">=1.6.0"
"""

CLUSTER = """\
apiVersion: groundplane.dev/v1alpha1
kind: Cluster
metadata:
  name: shop
  namespace: default
spec:
  provider: Machines
  foundationRef:
    name: production
  network:
    podCIDR: 10.244.0.0/16
    serviceCIDR: 10.96.0.0/16
    plugin: routed
  controlPlane:
    endpoint:
      host: shop.example.com
      port: 6443
      provider: External
  components:
    kubelet:
      config:
        maxPods: 200
  change:
    approval: Manual
    maxUnavailable: 1
    drain:
      timeout: 5m
"""

MACHINE = """\
apiVersion: groundplane.dev/v1alpha1
kind: Machine
metadata:
  name: shop-1
  namespace: default
spec:
  clusterRef:
    name: shop
  role: ControlPlane
  address: 198.18.0.11
  ssh:
    user: root
    secretRef:
      name: shop-key
  labels:
    example.com/rack: r12
"""

OPERATION = """\
apiVersion: groundplane.dev/v1alpha1
kind: Operation
metadata:
  name: shop-create-1
  namespace: default
spec:
  clusterRef:
    name: shop
  target:
    namespace: default
    name: shop
    version: v1.20.2
    distribution: native
    release:
      version: v1.20.2
    sources:
      - type: HTTP
        url: https://dl.k8s.io
    runtime:
      name: containerd
    settings: {}
    kernel: {}
    operatingSystems: []
    network: {}
    endpoint:
      host: 198.18.0.11
    components: {}
    addons: {}
    kubeadm: {}
    change:
      approval: Manual
    controlPlanes: [shop-1]
    workers: []
  plan:
    action: Create
    summary: create cluster shop with 1 machine
    steps:
      - name: claim/shop-1
        step: claim
        machine: shop-1
        title: Mark the machine as ours
      - name: runtime/shop-1
        step: runtime
        machine: shop-1
        title: Install containerd
        after: [claim/shop-1]
  approval: Pending
"""

DISTRIBUTION = """\
apiVersion: groundplane.dev/v1alpha1
kind: Distribution
metadata:
  name: native
  namespace: default
spec:
  vendor: native
  description: Kubernetes as its project releases it
  sources:
    - type: Directory
      path: /srv/groundplane/kubernetes
    - type: HTTP
      url: https://dl.k8s.io
  releases:
    - version: v1.20.2
      endOfLife: "2022-02-28"
      artifacts:
        - name: kubelet
          type: Binary
          path: v1.20.2/bin/linux/amd64/kubelet
          sha256: "0000000000000000000000000000000000000000000000000000000000000000"
"""

EXAMPLES = {
    "Foundation": FOUNDATION,
    "Cluster": CLUSTER,
    "Machine": MACHINE,
    "Operation": OPERATION,
    "Distribution": DISTRIBUTION,
}
