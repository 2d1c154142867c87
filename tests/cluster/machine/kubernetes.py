"""Kubernetes in the box: etcd, the control plane, and a node with containerd, kubelet and kube-proxy."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml
from tests.cluster.machine import images, keys
from tests.cluster.machine.box import Box
from tests.cluster.machine.place import CGROUP, DNS_SERVICE, NODE, NODE_NAME, PODS, SERVICES, Place

from slipway.errors import Broken

SECONDS = 60.0
READY = '--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
ETCD, ETCD_PEERS = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
PAUSE = "slipway.invalid/pause:1"  # imported, never pulled
CONTAINERD = """
version = 2
root = "{state}/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true  # without CAP_SYS_RESOURCE no score may be lowered, and every pod would fail
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{config}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{config}/registries"
"""
CNI = """{{
  "cniVersion": "1.0.0", "name": "slipway",
  "plugins": [
    {{"type": "ptp", "mtu": 1500, "ipMasq": false,
      "ipam": {{"type": "host-local", "dataDir": "{state}/cni",
                "ranges": [[{{"subnet": "{pods}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
    {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
  ]
}}
"""


def start(box: Box, programs: Mapping[str, str]) -> None:
    """Start all of it, each as soon as it can be, and wait until the node takes pods.

    Raises:
        Broken: something does not answer in time; says which log to read.

    """
    place = box.place
    keys.make(place)
    _configure(place)
    kubectl = Kubectl(place, programs["kubectl"])

    def run(name: str, *options: str) -> None:
        box.start(name, [programs[name], *options])

    box.start("containerd", ["containerd", "--config", str(place.config / "containerd.toml")])
    run("etcd", *_etcd(place))
    run("kube-apiserver", *_apiserver(place))
    _load_pause(box, Path(programs["pause"]))
    # Not before its own roles are there: who comes earlier is refused, and gives up.
    wait(lambda: kubectl.run("get", "--raw=/readyz"), "kube-apiserver", place)
    run("kube-controller-manager", *_controller_manager(place))
    run("kube-scheduler", *_authenticated(place, "kube-scheduler"), *QUICK)
    run("kubelet", *_kubelet(place))
    run("kube-proxy", f"--config={place.config}/kube-proxy.yaml", f"--hostname-override={NODE_NAME}")
    wait(lambda: kubectl.run("get", f"node/{NODE_NAME}", READY) == "True", "kubelet", place)
    # Pods of a namespace wait for its account.
    wait(lambda: kubectl.run("get", "serviceaccount/default"), "kube-controller-manager", place)


def wait(look: Callable[[], Any], name: str, place: Place, seconds: float = SECONDS) -> Any:
    """Look until it is neither false nor an exception; return what was seen.

    Raises:
        Broken: it never was.

    """
    deadline, why = time.monotonic() + seconds, "it is not so"
    while time.monotonic() < deadline:
        try:
            if seen := look():
                return seen
        except (Broken, requests.RequestException) as error:
            why = " ".join(str(error).split())[:300]
        time.sleep(0.1)
    raise Broken(f"{name} is not ready after {seconds:g} s: {why}", f"Read {place.logs}/{name}.log.")


class Kubectl:
    """kubectl, as the administrator."""

    def __init__(self, place: Place, program: str) -> None:
        self.program = program
        self._command = [program, f"--kubeconfig={place.kubeconfig}"]

    def run(self, *arguments: str) -> str:
        """Run it; return what it printed.

        Raises:
            Broken: it ended badly.

        """
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Broken(f"kubectl {' '.join(arguments)}: {done.stderr.strip()[-1500:]}", "Mend what it names.")
        return done.stdout

    def apply(self, *files: Path, options: Sequence[str] = ()) -> None:
        """Apply manifests, on the server's side: some are too large for the annotation of the client's."""
        self.run(*options, "apply", "--server-side", *(f"--filename={file}" for file in files))


def _load_pause(box: Box, program: Path) -> None:
    """Give containerd the image that holds a pod's namespaces."""
    name, _, tag = PAUSE.rpartition(":")
    archive = images.save(images.of_program(program), box.place.state / "pause", tag)
    containers = ("ctr", f"--address={box.place.containerd}", "--namespace=k8s.io")
    wait(box.place.containerd.exists, "containerd", box.place)
    loaded = [*containers, "images", "import", f"--base-name={name}", str(archive)]
    done = subprocess.run(box.enter(*loaded), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"containerd did not take the image {PAUSE}: {done.stderr.strip()}", f"Read {box.place.logs}.")


QUICK = ("--leader-elect=false", "--kube-api-qps=300", "--kube-api-burst=600", "--profiling=false")


def _etcd(place: Place) -> list[str]:
    return [
        f"--data-dir={place.state}/etcd",
        *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}"),
        *(f"--listen-peer-urls={ETCD_PEERS}", f"--initial-advertise-peer-urls={ETCD_PEERS}"),
        *(f"--initial-cluster=default={ETCD_PEERS}", "--unsafe-no-fsync", "--log-level=warn"),
    ]


def _apiserver(place: Place) -> list[str]:
    keys = place.keys
    return [
        *(f"--etcd-servers={ETCD}", f"--bind-address={NODE}", f"--advertise-address={NODE}", "--secure-port=6443"),
        f"--service-cluster-ip-range={SERVICES}",
        *(f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key"),
        *(f"--client-ca-file={keys}/ca.crt", "--anonymous-auth=false"),
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
        "--service-account-issuer=https://kubernetes.default.svc",
        *(f"--service-account-key-file={keys}/sa.pub", f"--service-account-signing-key-file={keys}/sa.key"),
        f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        *("--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true", "--profiling=false"),
        # Without an authority for aggregated APIs the controller manager's log fills with complaints.
        *(f"--requestheader-client-ca-file={keys}/ca.crt", "--requestheader-allowed-names=front-proxy-client"),
        *("--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group"),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]


def _authenticated(place: Place, name: str) -> list[str]:
    kubeconfig = f"{place.config}/{name}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        *(f"--tls-cert-file={place.keys}/{name}.crt", f"--tls-private-key-file={place.keys}/{name}.key"),
    ]


def _controller_manager(place: Place) -> list[str]:
    keys = place.keys
    return [
        *_authenticated(place, "kube-controller-manager"),
        *QUICK,
        *(f"--root-ca-file={keys}/ca.crt", f"--service-account-private-key-file={keys}/sa.key"),
        *(f"--cluster-signing-cert-file={keys}/ca.crt", f"--cluster-signing-key-file={keys}/ca.key"),
        *("--use-service-account-credentials", "--allocate-node-cidrs=false"),
    ]


def _kubelet(place: Place) -> list[str]:
    return [
        f"--config={place.config}/kubelet.yaml",
        f"--kubeconfig={place.config}/kubelet.kubeconfig",
        *(f"--root-dir={place.state}/kubelet", f"--cert-dir={place.state}/kubelet/pki"),
        *(f"--hostname-override={NODE_NAME}", f"--node-ip={NODE}"),
    ]


def _configure(place: Place) -> None:
    """Write what these programs read."""
    names = {"state": place.state, "config": place.config, "socket": place.containerd, "pause": PAUSE, "pods": PODS}
    (place.config / "containerd.toml").write_text(CONTAINERD.format(**names))
    (place.config / "cni").mkdir(exist_ok=True)
    (place.config / "cni" / "slipway.conflist").write_text(CNI.format(**names))
    _dump(place.config / "kubelet.yaml", _kubelet_configuration(place))
    _dump(
        place.config / "kube-proxy.yaml",
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": "127.0.0.1",
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "clusterCIDR": PODS,
            "oomScoreAdj": 0,
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "clientConnection": {"kubeconfig": f"{place.config}/kube-proxy.kubeconfig"},
        },
    )


def _kubelet_configuration(place: Place) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE,
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{place.keys}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{place.keys}/kubelet.crt",
        "tlsPrivateKeyFile": f"{place.keys}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{place.containerd}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "maxPods": 60,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{place.config}/resolv.conf",
        "volumePluginDir": f"{place.state}/kubelet/volumeplugins",
        "podLogsDir": f"{place.logs}/pods",
        # A developer's disk is rarely empty: pods are evicted, and images collected, only when it is truly full.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "5s",
    }


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
