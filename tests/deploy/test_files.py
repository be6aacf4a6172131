"""What of deploy/ no scenario runs: it is valid to the tools that read it, and agrees with the rest of the project."""

import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from api.parsers import MAX_BODY_BYTES
from tests.deploy.stack import DEPLOY, Nginx
from tests.server import ROOT

MANIFESTS = [each for path in DEPLOY.glob("kubernetes/*.yaml") for each in yaml.safe_load_all(path.read_text()) if each]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_the_manifests_keep_to_the_schema_of_kubernetes(manifest):
    kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_the_pods_get_the_time_that_the_server_takes():
    [deployment] = [each for each in MANIFESTS if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [grace] = re.findall(r"graceful_timeout = (\d+)", (ROOT / "gunicorn.conf.py").read_text())

    assert pod["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] + int(grace)
    assert container["readinessProbe"]["timeoutSeconds"] > 5
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_large_lists_have_a_place_to_wait_in():
    [deployment] = [each for each in MANIFESTS if each["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["api"]

    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert [volume["mountPath"] for volume in container["volumeMounts"]] == ["/tmp"]  # noqa: S108 - what Python takes
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])  # noqa: S108 - likewise


def test_the_unit_is_valid(tmp_path):
    unit = (DEPLOY / "systemd" / "task-api@.service").read_text()
    command = "/opt/task-api/.venv/bin/gunicorn"
    copy = tmp_path / "task-api@8001.service"
    copy.write_text(unit.replace(command, "/bin/true"))  # which has to be there

    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert f"ExecStart={command}\n" in unit
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_block_for_tls_is_valid(tmp_path):
    nginx = Nginx(tmp_path / "nginx")
    for name in ("listen.conf", "limited.conf", "upstream.conf"):
        shutil.copy(DEPLOY / "nginx" / "site" / name, nginx.folder / "site")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout privkey.pem"
    subprocess.run([*make.split(), "-out", "fullchain.pem"], check=True, capture_output=True, cwd=tmp_path)
    listen = nginx.folder / "site" / "listen.conf"
    plain, _, tls = listen.read_text().partition("# With TLS")
    tls = re.sub(r"(?m)^# ", "", tls.partition("\n")[2]).replace("/etc/letsencrypt/live/api.example.com", str(tmp_path))
    listen.write_text(plain.replace("listen 80;\n", "") + tls)

    tested = subprocess.run([*nginx.command, "-t"], capture_output=True, text=True, check=False)

    assert "ssl_certificate" in tls
    assert tested.returncode == 0, tested.stderr


def test_what_compose_tells_the_proxy_is_valid(tmp_path):
    configs = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["configs"]
    nginx = Nginx(tmp_path / "nginx")
    for name in ("listen", "upstream", "limited", "origins"):
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", configs[f"proxy-{name}"]["content"]).replace("$$", "$")
        # Debian's nginx is older than the image's, and there is no api to be looked up
        text = re.sub(r"resolver .*;\n| resolve\b", "", text).replace("api:8000", "127.0.0.1:8000")
        (nginx.folder / "site" / f"{name}.conf").write_text(text)

    tested = subprocess.run([*nginx.command, "-t"], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stderr


def test_the_proxy_takes_as_much_as_the_api_and_closes_first():
    nginx = (DEPLOY / "nginx" / "nginx.conf").read_text()
    [keepalive] = re.findall(r"    keepalive 64;\n    +keepalive_timeout (\d+)s;", nginx)
    [of_gunicorn] = re.findall(r"keepalive = (\d+)", (ROOT / "gunicorn.conf.py").read_text())
    [of_granian] = re.findall(r"header_read_timeout=(\d+)_000", (ROOT / "config" / "granian.py").read_text())

    assert f"client_max_body_size {MAX_BODY_BYTES // 1024}k;" in nginx
    assert f"send at most {MAX_BODY_BYTES} bytes" in nginx
    assert int(keepalive) < min(int(of_gunicorn), int(of_granian))
