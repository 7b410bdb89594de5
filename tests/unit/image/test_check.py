"""Every rule on an image that breaks it, and on one that comes near without breaking it."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from handmade_image import OCI, File, Handmade, folder, link, tar

from pratique.image.check.run import check_image, is_refused, is_unknown
from pratique.image.check.table import RULES
from pratique.image.layout import Layout
from pratique.model.finding import Finding, Result

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DOCS = Path(__file__).parents[3] / "docs" / "image.md"
KEYS = "org.opencontainers.image."
CAPABILITY = (("SCHILY.xattr.security.capability", "\x01"),)


def github_token(body: str = "A" * 30) -> str:
    """Make a token as GitHub does: thirty characters and their CRC-32 in base 62, six digits."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, digits = zlib.crc32(body.encode()), ""
    while value:
        digits, value = alphabet[value % 62] + digits, value // 62
    return f"ghp_{body}{digits.rjust(6, '0')}"


def pem(kind: str = "RSA ", body: str = "MIIE" * 20) -> bytes:
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----\n".encode()


GOOD_FILES = (
    folder("etc"),
    File("etc/passwd", b"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home:/bin/false\n"),
    File("etc/shadow", b"root:*:19000::::::\nnonroot:!:19000::::::\n", mode=0o640),
    File("etc/os-release", b'ID=debian\nVERSION_ID="12"\n'),
    folder("tmp", 0o1777),
    folder("app"),
    File("app/run", b"\x7fELF", mode=0o755),
    folder("usr"),
    folder("usr/lib"),
    link("lib", "usr/lib"),
    File("usr/lib/a.so", b"so"),
    File("usr/lib/b.so", kind=tarfile.LNKTYPE, target="usr/lib/a.so"),
)
GOOD_CONFIG: dict[str, Any] = {
    "User": "65532:65532",
    "Entrypoint": ["/app/run", "serve"],
    "Env": ["PATH=/usr/bin:/app", "TOKENIZERS_PARALLELISM=1", "PASSWORD_FILE=/run/secrets/p", "TZ=UTC"],
    "WorkingDir": "/app",
    "ExposedPorts": {"8080/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGTERM",
    "Labels": {
        f"{KEYS}{key}": "x" for key in ("source", "revision", "title", "version", "licenses", "base.name")
    },
}
GOOD_MANIFEST = {"annotations": {f"{KEYS}base.digest": "sha256:" + "a" * 64}}
GOOD_HISTORY = [{"created_by": "by hand"}, {"created_by": "ENV A=b", "empty_layer": True}]
GOOD: dict[str, Any] = {
    "config": GOOD_CONFIG,
    "manifest": GOOD_MANIFEST,
    "history": GOOD_HISTORY,
    "created": "2026-11-01T00:00:00Z",
}


def findings(handmade: Handmade, *layers: bytes, **fields: Any) -> list[Finding]:
    handmade.image(*(layers or (tar(*GOOD_FILES),)), **{**GOOD, **fields})
    layout = Layout(handmade.root)
    return check_image(layout, layout.find(), NOW)


def results(found: list[Finding], result: Result) -> dict[str, list[str]]:
    chosen: dict[str, list[str]] = {}
    for one in found:
        if one.result is result:
            chosen.setdefault(one.id, []).append(f"{one.location} {one.detail}")
    return chosen


def test_a_clean_image_passes_every_rule(handmade: Handmade) -> None:
    found = findings(handmade)
    assert results(found, Result.FAIL) == {}
    assert results(found, Result.UNKNOWN) == {}
    assert set(results(found, Result.NOT_APPLICABLE)) == set()
    assert not is_refused(found)
    assert not is_unknown(found)


def test_an_image_on_scratch_gives_no_false_alarm(handmade: Handmade) -> None:
    found = findings(handmade, tar(folder("app"), File("app/run", b"\x7fELF", mode=0o755)))
    assert results(found, Result.FAIL) == {}
    assert set(results(found, Result.NOT_APPLICABLE)) == {"IMG-ACC-01", "IMG-ACC-02", "IMG-ORI-06"}


CONFIG: dict[str, tuple[dict[str, Any], str]] = {
    "IMG-CFG-01": ({"User": ""}, "runs as root"),
    "IMG-CFG-02": ({"User": "nonroot"}, "is a name"),
    "IMG-CFG-03": ({"User": "ghost"}, "not in the image's /etc/passwd"),
    "IMG-CFG-04": ({"User": "65532:0"}, "root's group"),
    "IMG-CFG-05": ({"Entrypoint": ["/bin/sh", "-ec", "x"]}, "/bin/sh -ec"),
    "IMG-CFG-06": ({"Entrypoint": None}, "neither"),
    "IMG-CFG-07": ({"Entrypoint": ["/app/missing"]}, "/app/missing is not in the image"),
    "IMG-CFG-09": ({"Env": ["DB_PASSWORD=hunter2"]}, "DB_PASSWORD"),
    "IMG-CFG-10": ({"Env": [f"X={github_token()}"]}, "GitHub token"),
    "IMG-CFG-11": ({"Env": ["DB=postgres://u:p4ss@db/x"]}, "URL with a password"),
    "IMG-CFG-12": ({"Env": ["NODE_TLS_REJECT_UNAUTHORIZED=0"]}, "certificates"),
    "IMG-CFG-13": ({"Env": ["PATH=/usr/bin::/app"]}, "has ''"),
    "IMG-CFG-14": ({"ExposedPorts": {"80/tcp": {}}}, "80/tcp"),
    "IMG-CFG-15": ({"ExposedPorts": {"22/tcp": {}}}, "SSH"),
    "IMG-CFG-16": ({"Volumes": {"/etc/": {}}}, "/etc"),
    "IMG-CFG-17": ({"OnBuild": ["RUN make"]}, "RUN make"),
    "IMG-CFG-18": ({"WorkingDir": "app"}, "'app'"),
    "IMG-CFG-19": ({"StopSignal": "SIGKILL"}, "in order"),
}


@pytest.mark.parametrize("rule", CONFIG)
def test_rules_about_the_configuration(handmade: Handmade, rule: str) -> None:
    change, says = CONFIG[rule]
    failed = results(findings(handmade, config={**GOOD_CONFIG, **change}), Result.FAIL)
    assert says in " ".join(failed.pop(rule))
    allowed = {"IMG-CFG-03": {"IMG-CFG-02"}, "IMG-CFG-05": {"IMG-CFG-07"}}.get(rule, set())
    assert set(failed) <= allowed


FILES: dict[str, tuple[File, str]] = {
    "IMG-CFG-08": (File("app/run", b"\x7fELF", mode=0o755, uid=65532), "/app/run can be replaced"),
    "IMG-FIL-01": (File("usr/lib/helper", b"x", mode=0o4755), "/usr/lib/helper runs as uid 0"),
    "IMG-FIL-02": (File("usr/lib/su", b"x", mode=0o4755), "/usr/lib/su"),
    "IMG-FIL-03": (File("usr/lib/x", b"x", mode=0o2755, gid=42), "gid 42"),
    "IMG-FIL-04": (File("usr/lib/ping", b"x", mode=0o755, pax=CAPABILITY), "file capabilities"),
    "IMG-FIL-05": (File("usr/lib/x", b"x", mode=0o666), "/usr/lib/x anybody may write"),
    "IMG-FIL-06": (folder("srv", 0o777), "/srv"),
    "IMG-FIL-07": (File("null", kind=tarfile.CHRTYPE), "/null a character device"),
    "IMG-FIL-08": (link("usr/out", "../../../etc/passwd"), "above the image's root"),
    "IMG-ACC-01": (File("etc/passwd", b"root:x:0:0::/:/\nroot2:x:0:0::/:/\n"), "'root2'"),
    "IMG-ACC-02": (File("etc/shadow", b"root:$6$salt$hash:1::\n", mode=0o600), "'root' has a password"),
    "IMG-ACC-03": (File("etc/shadow", b"root:*:1::\n", mode=0o644), "anybody may read"),
    "IMG-ACC-04": (File("etc/sudoers.d/x", b"nonroot ALL=(ALL) NOPASSWD: ALL\n"), "without a password"),
    "IMG-ACC-05": (File("usr/sbin/sshd", b"x", mode=0o755), "remote log-in"),
    "IMG-TOL-01": (link("usr/bin/sh", "bash"), "/usr/bin/sh a shell"),
    "IMG-TOL-02": (File("usr/bin/apt-get", b"x", mode=0o755), "package manager"),
    "IMG-TOL-03": (File("usr/bin/gcc", b"x", mode=0o755), "/usr/bin/gcc"),
    "IMG-CAC-01": (File("var/lib/apt/lists/x_Packages", b"Package: x"), "1 files, 10 bytes"),
    "IMG-CAC-02": (File("var/cache/apt/archives/x.deb", b"x"), "archives"),
    "IMG-CAC-03": (File("var/cache/apk/x.tar.gz", b"x"), "apk"),
    "IMG-CAC-04": (File("var/cache/dnf/x.rpm", b"x"), "dnf"),
    "IMG-CAC-05": (File("root/.cache/pip/http/x", b"x"), "pip"),
    "IMG-CAC-06": (File("root/.npm/_cacache/x", b"x"), "npm"),
    "IMG-CAC-07": (File("var/tmp/leftover", b"x"), "1 files"),
    "IMG-CAC-08": (File("app/.git/HEAD", b"ref"), "/app/.git/HEAD"),
    "IMG-CAC-09": (File("root/.bash_history", b"mysql -p"), "somebody typed"),
    "IMG-SEC-01": (File("app/key.pem", pem()), "/app/key.pem private key, in layer 2"),
    "IMG-SEC-02": (File("app/x.cfg", f"t = {github_token()}".encode()), "GitHub token, in layer 2"),
    "IMG-SEC-03": (File("root/.netrc", b"machine x login y password z\n"), "/root/.netrc credentials"),
    "IMG-ORI-06": (File("etc/os-release", b"ID=debian\nVERSION_ID=11\n"), "since 2026-08-31"),
    "IMG-LAY-04": (File("../../etc/cron.d/x", b"x"), "leads out of the image"),
    "IMG-LAY-05": (File("/usr/lib/c.so", b"x"), "begins with /"),
    "IMG-LAY-07": (File("lib/d.so", b"x"), "below a symbolic link"),
    "IMG-LAY-08": (File("usr/lib/h", kind=tarfile.LNKTYPE, target="../../host/etc/shadow"), "hard link"),
    "IMG-LAY-09": (File("usr/lib/\x1b[2J", b"x"), "control characters"),
}  # fmt: skip


@pytest.mark.parametrize("rule", FILES)
def test_rules_about_files(handmade: Handmade, rule: str) -> None:
    file, says = FILES[rule]
    history = [{"created_by": "by hand"}] * 2
    found = findings(handmade, tar(*GOOD_FILES), tar(file), history=history)
    failed = results(found, Result.FAIL)
    assert says in " ".join(failed.pop(rule))
    assert failed == {}
    assert "\x1b" not in repr(found).replace("\\x1b", "")


HISTORY = {
    "IMG-HIS-01": "/bin/sh -c #(nop) ADD https://example.com/x.tgz /x",
    "IMG-HIS-02": "/bin/sh -c curl -fsSL https://example.com/i.sh | bash",
    "IMG-HIS-03": "RUN /bin/sh -c apt-get update && apt-get install --allow-unauthenticated -y x # buildkit",
    "IMG-HIS-04": "RUN chmod -R 777 /data",
    "IMG-HIS-05": "|1 NPM_TOKEN=abc /bin/sh -c npm ci",
    "IMG-HIS-06": "RUN apt-get update && apt-get -y dist-upgrade",
}


@pytest.mark.parametrize("rule", HISTORY)
def test_rules_about_history(handmade: Handmade, rule: str) -> None:
    failed = results(findings(handmade, history=[{"created_by": HISTORY[rule]}]), Result.FAIL)
    assert set(failed) == {rule}
    assert "history 1" in failed[rule][0]


@pytest.mark.parametrize(
    "line",
    [
        "COPY https.conf /etc/",
        "ADD file:abc in /",
        "RUN curl -fsSLo x https://example.com/x && sha256sum -c sums | sort",
        "RUN curl -K config -o k https://example.com",
        "RUN chmod 1777 /tmp && chmod u+w x && chmod 0755 run777",
        "RUN apt-get install --no-upgrade x && apt-get update",
        "RUN apk add --upgrade x",
        "|1 TOKENIZER= /bin/sh -c make",
    ],
)
def test_history_that_only_looks_bad(handmade: Handmade, line: str) -> None:
    assert results(findings(handmade, history=[{"created_by": line}]), Result.FAIL) == {}


ORIGIN: dict[str, dict[str, Any]] = {
    "IMG-ORI-01": {"config": {**GOOD_CONFIG, "Labels": {**GOOD_CONFIG["Labels"], f"{KEYS}source": ""}}},
    "IMG-ORI-02": {"config": {**GOOD_CONFIG, "Labels": {**GOOD_CONFIG["Labels"], f"{KEYS}version": ""}}},
    "IMG-ORI-03": {"config": {**GOOD_CONFIG, "Labels": {**GOOD_CONFIG["Labels"], f"{KEYS}licenses": ""}}},
    "IMG-ORI-04": {"manifest": {}},
    "IMG-ORI-05": {"created": "2027-01-01T00:00:00Z"},
    "IMG-HIS-07": {"history": [{"created_by": "a"}, {"created_by": "b"}]},
    "IMG-CFG-20": {"os": ""},
}


@pytest.mark.parametrize("rule", ORIGIN)
def test_rules_about_origin(handmade: Handmade, rule: str) -> None:
    assert set(results(findings(handmade, **ORIGIN[rule]), Result.FAIL)) == {rule}


def test_a_distribution_nobody_knows_is_unknown_and_a_rolling_one_does_not_apply(handmade: Handmade) -> None:
    for text, result in (
        (b"ID=plan9\nVERSION_ID=4\n", Result.UNKNOWN),
        (b"ID=arch\n", Result.NOT_APPLICABLE),
    ):
        handmade.index.clear()
        files = [file for file in GOOD_FILES if file.name != "etc/os-release"]
        found = findings(handmade, tar(*files, File("etc/os-release", text)))
        assert set(results(found, result)) == {"IMG-ORI-06"}
        assert is_unknown(found) is (result is Result.UNKNOWN)


def test_a_deleted_secret_is_still_found(handmade: Handmade) -> None:
    netrc = File("root/.netrc", b"machine x password y\n")
    lower = tar(File("app/id", pem("OPENSSH ")), netrc, File("app/.env", b"A=1\n"))
    upper = tar(File("app/.wh.id"), File("root/.netrc"), File("app/.wh..env"))
    history = [{"created_by": "by hand"}] * 3
    found = findings(handmade, tar(*GOOD_FILES), lower, upper, history=history)
    failed = results(found, Result.FAIL)
    assert set(failed) == {"IMG-SEC-04"}
    assert [text.split(",")[0] for text in failed["IMG-SEC-04"]] == [
        "/app/id private key", "/root/.netrc credentials"
    ]  # fmt: skip
    assert is_refused(found)


def test_a_secret_across_chunks_is_found_in_a_large_file(handmade: Handmade) -> None:
    for offset in (262_144 - 20, 262_144 - 60, 600_000):
        handmade.index.clear()
        content = bytes(offset) + b"\n" + pem() + bytes(300_000)
        found = findings(handmade, tar(*GOOD_FILES, File("app/blob", content)))
        assert set(results(found, Result.FAIL)) == {"IMG-SEC-01"}


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN PRIVATE KEY-----",  # what a parser looks for
        b"-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\n" + b"MIIE" * 20,
        b"\x7fELF\x02" + bytes(300_000) + pem(),  # as libgnutls has it, for its self-test
        f"ghp_{'A' * 36}".encode(),  # the check sum is wrong
        f"npm_{'a' * 36}".encode(),
        b"AKIAIOSFODNN7EXAMPLE = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        b"AKIAABCDEFGHIJKLMNOP alone is no secret",
        b"hvs.short xoxb-1 sk_live_x glpat-x SG.x pypi-x",
    ],
)
def test_what_only_looks_like_a_secret(handmade: Handmade, content: bytes) -> None:
    assert results(findings(handmade, tar(*GOOD_FILES, File("app/doc", content))), Result.FAIL) == {}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("private key", pem("")),
        ("private key", pem("EC ").replace(b"\n", b"\r\n")),
        ("private key", b'{"private_key": "-----BEGIN PRIVATE KEY-----\\n' + b"MIIE" * 20),
        ("PGP private key", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nx"),
        ("age secret key", b"AGE-SECRET-KEY-1" + b"QPZRY9X8GF" * 5 + b"QPZRY9X8"),
        ("GitLab token", b"glpat-" + b"a1B2" * 5),
        ("AWS access key", b"aws_access_key_id = AKIAABCDEFGHIJKLMNOP\nkey = " + b"aB3/" * 10 + b"\n"),
        ("Slack token", b"xoxb-1234567890-1234567890-" + b"a" * 24),
        ("Stripe live key", b"'sk_live_" + b"a1" * 12 + b"'"),
        ("Docker Hub token", b"dckr_pat_" + b"a" * 27),
        ("SendGrid key", b"SG." + b"a" * 22 + b"." + b"b" * 43),
        ("PyPI token", b"pypi-AgEIcHlwaS5vcmc" + b"a" * 60),
        ("npm token", github_token().replace("ghp_", "npm_").encode()),
        ("GitHub fine-grained token", b"github_pat_" + b"a" * 22 + b"_" + b"b" * 59),
        ("Vault token", b"hvs." + b"a" * 95),
    ],
)
def test_secret_formats_are_recognised_and_never_shown(handmade: Handmade, kind: str, content: bytes) -> None:
    found = findings(handmade, tar(*GOOD_FILES, File("app/doc", b"x = " + content + b" ")))
    failed = results(found, Result.FAIL)
    assert kind in " ".join(failed.get("IMG-SEC-01", []) + failed.get("IMG-SEC-02", []))
    assert content[-20:].decode().strip() not in repr(found)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".npmrc", b"//registry/:_authToken=abcdef\n"),
        (".pypirc", b"[pypi]\npassword = x\n"),
        (".git-credentials", b"https://me:pw@example.com\n"),
        (".pgpass", b"db:5432:x:me:pw\n"),
        (".env", b"export API_KEY='abc'\n"),
        (".aws/credentials", b"aws_secret_access_key = abc\n"),
        (".docker/config.json", b'{"auths": {"r": {"auth": "eA=="}}}'),
        (".kube/config", b"users:\n- user:\n    token: abc\n"),
    ],
)
def test_files_that_hold_credentials(handmade: Handmade, name: str, content: bytes) -> None:
    failed = results(findings(handmade, tar(*GOOD_FILES, File(f"root/{name}", content))), Result.FAIL)
    assert set(failed) == {"IMG-SEC-03"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".npmrc", b"//registry/:_authToken=${NPM_TOKEN}\n# _authToken=x\n"),
        (".env", b"TOKEN=\nPASSWORD=$PASSWORD\n"),
        (".docker/config.json", b'{"auths": {"r": {}}, "credsStore": "x"}'),
        (".docker/config.json", b"[" * 100_000),
        (".docker/config.json", b"not json"),
    ],
)
def test_files_that_could_hold_credentials_but_do_not(handmade: Handmade, name: str, content: bytes) -> None:
    assert results(findings(handmade, tar(*GOOD_FILES, File(f"root/{name}", content))), Result.FAIL) == {}


def test_layers_that_are_not_what_is_said_of_them(handmade: Handmade) -> None:
    found = findings(handmade, rootfs={"diff_ids": ["sha256:" + "0" * 64]})
    assert "diff_id is" in results(found, Result.FAIL)["IMG-LAY-01"][0]
    assert is_refused(found)


@pytest.mark.parametrize(
    ("rule", "blob"),
    [
        ("IMG-LAY-02", b"no gzip at all"),
        ("IMG-LAY-02", gzip.compress(tar(*GOOD_FILES)[:1500])),
        ("IMG-LAY-02", gzip.compress(tar(*GOOD_FILES))[:-20]),
        ("IMG-LAY-02", gzip.compress(tar(*GOOD_FILES) + tar(File("hidden", b"x")))),
        ("IMG-LAY-03", gzip.compress(tar(*GOOD_FILES) + bytes(70 << 20), 9)),
    ],
    ids=["no gzip", "cut tar", "cut gzip", "two archives", "bomb"],
)
def test_what_is_in_a_broken_layer_is_unknown(handmade: Handmade, rule: str, blob: bytes) -> None:
    layer = handmade.blob(blob, f"{OCI}.layer.v1.tar+gzip")
    found = findings(handmade, manifest={**GOOD_MANIFEST, "layers": [layer]})
    assert rule in results(found, Result.FAIL)
    unknown = results(found, Result.UNKNOWN)
    assert {"IMG-SEC-01", "IMG-FIL-01"} <= set(unknown)
    assert is_refused(found)


def test_a_missing_layer_and_one_that_nobody_reads(handmade: Handmade) -> None:
    layer = handmade.blob(b"x", f"{OCI}.layer.v1.tar+gzip")
    (handmade.root / "blobs" / "sha256" / layer["digest"].removeprefix("sha256:")).write_bytes(b"y")
    found = findings(handmade, manifest={**GOOD_MANIFEST, "layers": [layer]})
    assert "damaged" in results(found, Result.FAIL)["IMG-LAY-01"][0]
    handmade.index.clear()
    odd = handmade.blob(b"x", f"{OCI}.layer.v1.tar+encrypted")
    found = findings(handmade, manifest={**GOOD_MANIFEST, "layers": [odd]})
    assert results(found, Result.FAIL) == {}
    assert "encrypted" in results(found, Result.UNKNOWN)["IMG-SEC-01"][0]
    assert {"IMG-ACC-01", "IMG-ORI-06"} <= set(results(found, Result.UNKNOWN))
    assert not is_refused(found)
    assert is_unknown(found)


def test_rules_about_layers_as_a_whole(handmade: Handmade) -> None:
    small = tar(File("x", b"x"))
    found = findings(handmade, *[tar(*GOOD_FILES)] + [small] * 130, history=[{"created_by": "x"}] * 131)
    assert set(results(found, Result.FAIL)) == {"IMG-LAY-10"}
    handmade.index.clear()
    big = tar(File("big", bytes(11 << 20)))
    found = findings(handmade, tar(*GOOD_FILES), big, tar(File(".wh.big")), history=[{"created_by": "x"}] * 3)
    assert set(results(found, Result.FAIL)) == {"IMG-LAY-12"}
    handmade.index.clear()
    layer = handmade.blob(gzip.compress(tar(*GOOD_FILES)), f"{OCI}.layer.v1.tar+gzip")
    elsewhere = {**layer, "urls": ["https://example.com/layer"]}
    found = findings(handmade, manifest={**GOOD_MANIFEST, "layers": [elsewhere]})
    assert set(results(found, Result.FAIL)) == {"IMG-LAY-11"}


def test_a_path_that_is_in_a_layer_twice(handmade: Handmade) -> None:
    found = findings(handmade, tar(*GOOD_FILES, File("app/./x", b"1"), File("app/x", b"2"), folder("app")))
    assert results(found, Result.FAIL) == {"IMG-LAY-06": [
        results(found, Result.FAIL)["IMG-LAY-06"][0]
    ]}  # fmt: skip
    assert "/app/x is there twice" in results(found, Result.FAIL)["IMG-LAY-06"][0]


def test_hard_links_to_links_and_to_nothing(handmade: Handmade) -> None:
    files = (
        File("h1", kind=tarfile.LNKTYPE, target="lib"),
        File("h2", kind=tarfile.LNKTYPE, target="nowhere"),
        File("h3", kind=tarfile.LNKTYPE, target="usr"),
    )
    failed = results(findings(handmade, tar(*GOOD_FILES, *files)), Result.FAIL)
    assert set(failed) == {"IMG-LAY-08"}
    assert len(failed["IMG-LAY-08"]) == 3


def test_a_file_in_place_of_the_root_is_a_finding_and_no_crash(handmade: Handmade) -> None:
    failed = results(findings(handmade, tar(*GOOD_FILES, File("./", b""), link(".", "etc"))), Result.FAIL)
    assert set(failed) == {"IMG-LAY-04"}


def test_a_password_file_that_cannot_be_read_is_unknown(handmade: Handmade) -> None:
    files = [file for file in GOOD_FILES if file.name != "etc/passwd"]
    for odd in (
        File("etc/passwd", b"x" * 70_000),
        File("etc/passwd", kind=tarfile.LNKTYPE, target="app/run"),
    ):
        handmade.index.clear()
        found = findings(handmade, tar(*files, odd))
        assert {"IMG-ACC-01", "IMG-ACC-02"} == set(results(found, Result.UNKNOWN))


def test_a_user_whose_name_means_root(handmade: Handmade) -> None:
    for user in ("0", "00:00", "root", "0:1000", "toor"):
        handmade.index.clear()
        passwd = File("etc/passwd", b"root:x:0:0::/:/\ntoor:x:0:0::/:/\n")
        found = findings(handmade, tar(*GOOD_FILES, passwd), config={**GOOD_CONFIG, "User": user})
        assert "IMG-CFG-01" in results(found, Result.FAIL), user
        assert is_refused(found)


def test_medium_findings_alone_refuse_nothing(handmade: Handmade) -> None:
    found = findings(handmade, config={**GOOD_CONFIG, "User": "65532:0"})
    assert set(results(found, Result.FAIL)) == {"IMG-CFG-04"}
    assert not is_refused(found)


def test_the_findings_of_one_rule_come_to_an_end(handmade: Handmade) -> None:
    files = [File(f"usr/lib/s{number:03}", b"x", mode=0o4755) for number in range(100)]
    found = [one for one in findings(handmade, tar(*GOOD_FILES, *files)) if one.id == "IMG-FIL-01"]
    assert len(found) == 21
    assert found[-1].detail == "and 80 more"


def test_every_rule_is_tested_and_documented() -> None:
    covered = {*CONFIG, *FILES, *HISTORY, *ORIGIN} | {
        "IMG-SEC-04", *(f"IMG-LAY-{number:02}" for number in (1, 2, 3, 6, 10, 11, 12))
    }  # fmt: skip
    assert covered == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)
    sections = dict(re.findall(r"^### (IMG-[A-Z]{3}-\d\d) (.+)$", DOCS.read_text("utf-8"), re.MULTILINE))
    assert sections == {rule.id: rule.title for rule in RULES}
    text = " ".join(DOCS.read_text("utf-8").split())
    for rule in RULES:
        assert f"**Severity** {rule.severity.value}. **Fix:** {rule.fix}." in text, rule.id
