"""What docs/serve.md and deploy/ say of the server: flags, variables and metrics that it has, in files that parse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Run
from serving import post, serving

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
# Of the package prometheus-adapter, kube and so on; not flags of `embedforge serve`.
NAMED_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.fixture(scope="module")
def help_text(run: Run) -> str:
    done = run("serve", "-h")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_docs_name_every_flag_and_its_variable(help_text: str) -> None:
    docs = (ROOT / "docs" / "serve.md").read_text()
    server = help_text[help_text.index("Server:") :]
    for block in re.split(r"\n  (?=-)", server):
        flags = NAMED_FLAG.findall(block.split("\n")[0])
        for flag in flags[:1]:
            assert f"`{flag}`" in docs, flag
        for variable in re.findall(r"\(Env:(\w+)\)", block):
            assert f"`{variable}`" in docs, variable


def test_docs_have_no_other_flag(help_text: str) -> None:
    docs = (ROOT / "docs" / "serve.md").read_text()
    hidden = {"--hf-token", "--huggingface-hub-cache", "--otlp-endpoint", "--uds-path", "--dtype"}
    hidden |= {"--revision", "--dense-path"}
    assert set(NAMED_FLAG.findall(docs)) - hidden - set(NAMED_FLAG.findall(help_text)) == set()


def containers() -> list[dict[str, Any]]:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    kinds = [one["kind"] for one in documents]
    assert kinds[0] == "Deployment" and {"Service", "HorizontalPodAutoscaler"} <= set(kinds)
    pod = documents[0]["spec"]["template"]["spec"]
    return [*pod["initContainers"], *pod["containers"]]


def test_deployments_use_flags_that_exist(help_text: str, run: Run) -> None:
    server = containers()[-1]
    unit = (DEPLOY / "embedforge.service").read_text()
    docker = (DEPLOY / "Dockerfile").read_text()
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", docker, re.MULTILINE)[0])
    assert entry[:2] == ["embedforge", "serve"]
    known = set(NAMED_FLAG.findall(help_text))
    assert {part for part in [*server["args"], *entry] if part.startswith("--")} <= known
    for variable in re.findall(r"^#?Environment=(EMBEDFORGE_(?!CACHE)\w+)", unit, re.MULTILINE):
        assert f"Env:{variable}" in help_text, variable
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"]["path"] in ("/livez", "/readyz")
    convert = containers()[0]["command"]
    assert convert[:2] == ["embedforge", "convert"] and run("convert", "-h").returncode == 0


def test_dashboard_and_rules_use_metrics_that_exist(converted: Path, tmp_path: Path) -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    wanted = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text())
    wanted += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    docs = (ROOT / "docs" / "serve.md").read_text()
    names = {name for text in wanted for name in re.findall(r"\bte_\w+", text)}
    with serving(tmp_path / "log", converted) as url:
        assert post(url + "/embed", {"inputs": ["a", "b"]})[0] == 200
        assert post(url + "/embed", {"inputs": ""})[0] == 400
        with urllib.request.urlopen(url + "/metrics") as answer:
            given = set(re.findall(r"^(te_\w+)", answer.read().decode(), re.MULTILINE))
    assert names and names <= given, names - given
    for name in re.findall(r"`?\b(te_(?:request|batch|queue|embed)_\w+)", docs):
        assert any(one.startswith(name) for one in given), name


def check(program: str, *arguments: object) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_rules() -> None:
    check("promtool", "check", "rules", DEPLOY / "prometheus-rules.yaml")


def test_nginx_reads_its_file(tmp_path: Path) -> None:
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("no nginx")
    site = (DEPLOY / "nginx.conf").read_text()
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "1"]
    check("openssl", *make, "-keyout", key, "-out", certificate)
    site = re.sub(r"(ssl_certificate ).*;", rf"\1 {certificate};", site)
    site = re.sub(r"(ssl_certificate_key ).*;", rf"\1 {key};", site)
    (tmp_path / "site.conf").write_text(site)
    whole = f"pid {tmp_path}/pid; events {{}} http {{ include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    check("nginx", "-t", "-c", tmp_path / "nginx.conf")


def test_the_unit_is_locked_down(tmp_path: Path) -> None:
    unit = tmp_path / "embedforge.service"
    text = (DEPLOY / "embedforge.service").read_text()
    unit.write_text(text.replace("/usr/bin/embedforge", "/bin/true"))
    check("systemd-analyze", "verify", unit)
    check("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
