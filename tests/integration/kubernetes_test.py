#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/kubernetes/morpheus.yaml without a cluster: held against the API's own types, which the
official Python client has from Kubernetes' OpenAPI description, against the daemon's options and
configuration, and against the systemd unit.

usage: kubernetes_test.py SOURCE_ROOT MORPHEUSD

Exit status 77 (skipped) without Debian's packages python3-yaml and python3-kubernetes.
"""
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import types

try:
    import kubernetes.client
    import yaml
except ImportError as missing:
    print(f"{missing}; ./dev setup installs it")
    sys.exit(77)

PATIENCE_SECONDS = 30


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def refusal(part):
    """Why the API's types refuse a part of a manifest, or None. A type drops fields that it does
    not know and converts values where it can, so a part that does not come back unchanged is
    wrong."""
    client = kubernetes.client.ApiClient()
    name = "V1" + str(part.get("kind"))
    if part.get("apiVersion") != ("apps/v1" if name == "V1DaemonSet" else "v1") or not hasattr(kubernetes.client, name):
        return f"no {part.get('kind')} in {part.get('apiVersion')}"
    try:
        typed = client.deserialize(types.SimpleNamespace(data=json.dumps(part)), name)
    except (ValueError, TypeError, AttributeError, kubernetes.client.ApiException) as error:
        return f"{part['kind']}: {error}"
    back = client.sanitize_for_serialization(typed)
    return None if back == part else f"{part['kind']}: the API does not know {difference(part, back)}"


def difference(part, back, path=""):
    if isinstance(part, dict) and isinstance(back, dict):
        for key in part:
            if part[key] != back.get(key):
                return difference(part[key], back.get(key), f"{path}.{key}")
    if isinstance(part, list) and isinstance(back, list) and len(part) == len(back):
        for number, (one, other) in enumerate(zip(part, back)):
            if one != other:
                return difference(one, other, f"{path}[{number}]")
    return f"{path}: {part!r}"


def wrong_refusals(parts):
    """The API's types do find faults."""
    def change(**changes):
        bad = copy.deepcopy(parts["DaemonSet"])
        spec = bad["spec"]["template"]["spec"]
        for key, value in changes.items():
            {"pod": spec, "container": spec["containers"][0], "set": bad["spec"], "whole": bad}[key].update(value)
        return bad

    for bad in (change(pod={"hostPid": True}), change(container={"capabilities": {}}), change(set={"selector": None}),
                change(container={"name": None}), change(whole={"apiVersion": "extensions/v1beta1"}),
                change(whole={"kind": "DeamonSet"}), change(pod={"terminationGracePeriodSeconds": "soon"})):
        if refusal(bad) is None:
            yield "a wrong manifest passes"


def wrong_links(parts):
    """References from one part of the manifest to another."""
    pod = parts["DaemonSet"]["spec"]["template"]
    if not parts["DaemonSet"]["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items():
        yield "the DaemonSet does not select its own pods"
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    if {m["name"] for m in mounts} != {v["name"] for v in pod["spec"]["volumes"]}:
        yield "the manifest mounts volumes that it does not have, or not all"
    maps = {v["configMap"]["name"] for v in pod["spec"]["volumes"] if "configMap" in v}
    if maps != {parts["ConfigMap"]["metadata"]["name"]}:
        yield f"the pod takes its configuration from {maps}"
    spaces = {part["metadata"].get("namespace") for kind, part in parts.items() if kind != "Namespace"}
    if spaces != {parts["Namespace"]["metadata"]["name"]}:
        yield f"parts are in the namespaces {spaces}"


def wrong_daemon(root, morpheusd, parts):
    container = parts["DaemonSet"]["spec"]["template"]["spec"]["containers"][0]
    unit = re.search(r"^AmbientCapabilities=(.*)$", read(root, "systemd/morpheusd.service.in"), flags=re.M)[1].split()
    added = ["CAP_" + name for name in container["securityContext"]["capabilities"]["add"]]
    if sorted(added) != sorted(unit):
        yield f"the manifest adds {added}, the unit {unit}"
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "morpheusd.json")
        with open(config, "w", encoding="utf-8") as file:
            file.write(parts["ConfigMap"]["data"]["morpheusd.json"])
        arguments = [config if a == "/etc/morpheus/morpheusd.json" else a for a in container["args"]]
        ended = subprocess.run([morpheusd, *arguments, "--check-config"], capture_output=True, text=True, check=False,
                               timeout=PATIENCE_SECONDS)
        if ended.returncode != 0:
            yield f"morpheusd refuses the manifest's arguments or configuration: {ended.stderr}"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    root, morpheusd = map(os.path.abspath, sys.argv[1:])
    parts = {part["kind"]: part for part in yaml.safe_load_all(read(root, "docs/kubernetes/morpheus.yaml"))}
    found = [refused for part in parts.values() if (refused := refusal(part))]
    found += [*wrong_refusals(parts), *wrong_links(parts), *wrong_daemon(root, morpheusd, parts)]
    for statement in found:
        print("docs/kubernetes/morpheus.yaml:", statement)
    print(f"{len(parts)} parts of the manifest, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
