"""Secrets within reach of a build: named, never shown."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from pratique.model.finding import Severity
from pratique.runner.check import Check, Outcome, Profile, judge, not_applicable
from pratique.runner.processes import processes

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SIGNING)_?KEY)(?:_|$|ID$)",
    re.IGNORECASE,
)
_NOT_SECRET_NAME = re.compile(r"_(?:FILE|PATH|DIR|URL|URI|NAME|TTL|TYPE)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}|\bgithub_pat_\w{40,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bpypi-[\w-]{50,}"
)
_SHORTEST_SECRET = 6
_SHOWN = 5
_FILES = {  # path under home → what in it makes it a credential (empty: being there)
    ".aws/credentials": "",
    ".azure/accessTokens.json": "",
    ".config/gcloud/application_default_credentials.json": "",
    ".config/gh/hosts.yml": "oauth_token",
    ".docker/config.json": '"auth"',
    ".git-credentials": "",
    ".kube/config": "",
    ".netrc": "",
    ".npmrc": "_auth",
    ".pypirc": "password",
    ".cargo/credentials.toml": "",
}
_GIT_CREDENTIAL = re.compile(
    r"extraheader\s*=|^\s*url\s*=\s*\w+://[^/\s]*:[^/\s]*@", re.IGNORECASE | re.MULTILINE
)
_SIGNING = (
    "SSH_AUTH_SOCK",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "SIGSTORE_ID_TOKEN",
    "VAULT_TOKEN",
    "GPG_PRIVATE_KEY",
)
_SHARED_FOLDER = re.compile(r"/(?:tmp|var/tmp|dev/shm)/")


def _environment(probe: Probe, profile: Profile) -> Outcome:
    del profile
    found = []
    for name, value in sorted(probe.environ.items()):
        named = _SECRET_NAME.search(name) and not _NOT_SECRET_NAME.search(name)
        if len(value) >= _SHORTEST_SECRET and (named or _SECRET_VALUE.search(value)):
            # The key stays on this machine: without it a weak password cannot be guessed from the hash.
            mark = hmac.new(probe.hash_key, value.encode("utf-8", "surrogateescape"), hashlib.sha256)
            found.append(f"{name} (keyed hash {mark.hexdigest()[:12]})")
    return judge(found, f"{len(probe.environ)} variables, none looks like a secret")


def _credential_files(probe: Probe, profile: Profile) -> Outcome:
    del profile
    home = probe.home()
    found = [
        f"~/{name}"
        for name, sign in _FILES.items()
        if probe.exists(f"{home}/{name}") and sign in probe.read(f"{home}/{name}")
    ]
    found += [
        f"~/.ssh/{name}"
        for name in probe.list(f"{home}/.ssh")
        if name.startswith("id_") and not name.endswith(".pub")
    ]
    return judge(found, "none of the usual files is there")


def _git_config(probe: Probe, profile: Profile) -> Outcome:
    del profile
    path = f"{probe.workspace}/.git/config"
    if not probe.exists(f"{probe.workspace}/.git"):
        return not_applicable("the workspace is no Git checkout")
    left = _GIT_CREDENTIAL.search(probe.read(path))
    return judge(["it keeps a credential after checkout"] if left else [], "no credential", location=path)


def _others_environments(probe: Probe, profile: Profile) -> Outcome:
    del profile
    own = int(probe.status_field("Uid").split()[1])
    others = [process for process in processes(probe).values() if process.uid != own]
    # Whether it opens decides, not its mode: the kernel asks what it asks of a debugger. Content is not kept.
    found = [
        f"{process.name} (pid {process.pid}, uid {process.uid})"
        for process in others
        if probe.opens(f"/proc/{process.pid}/environ")
    ]
    shown = ", ".join(found[:_SHOWN])
    return judge(
        [f"can be read: {len(found)} of other users' processes: {shown}"] if found else [],
        f"{len(others)} processes of other users are visible, none can be read",
    )


def _core_dumps(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = []
    if probe.read("/proc/sys/fs/suid_dumpable").strip() != "0":
        problems.append("privileged programs may dump core")
    limit = re.search(r"^Max core file size\s+(\S+)", probe.read("/proc/self/limits"), re.MULTILINE)
    pattern = probe.read("/proc/sys/kernel/core_pattern").strip()
    if limit is None:
        raise ValueError("no core file size in /proc/self/limits")
    if limit.group(1) != "0" and _SHARED_FOLDER.match(pattern):
        problems.append(f"cores go to a shared folder: {pattern}")
    return judge(problems, f"core size {limit.group(1)}, pattern {pattern[:60]}")


def _signing(probe: Probe, profile: Profile) -> Outcome:
    del profile
    found = [name for name in _SIGNING if probe.environ.get(name)]
    found += [name for name in sorted(probe.environ) if name.startswith("COSIGN_") and probe.environ[name]]
    keys = f"{probe.home()}/.gnupg/private-keys-v1.d"
    if probe.list(keys):
        found.append("private keys in ~/.gnupg")
    return judge(found, "no agent, identity token or key is in reach")


CHECKS = (
    Check(
        id="SEC-11",
        title="Secrets in the environment",
        whole=Severity.HIGH,
        contained=Severity.HIGH,
        fix="unset them for the build, and hand secrets to the steps that need them",
        look=_environment,
    ),
    Check(
        id="SEC-12",
        title="Credential files",
        whole=Severity.MEDIUM,
        contained=Severity.HIGH,
        fix="build as a user without credentials of its own",
        look=_credential_files,
    ),
    Check(
        id="SEC-13",
        title="Credentials left by a checkout",
        whole=Severity.HIGH,
        contained=Severity.HIGH,
        fix="check out with persist-credentials: false, or `git config --unset-all http.extraheader`",
        look=_git_config,
    ),
    Check(
        id="SEC-14",
        title="Environments of other users' processes",
        whole=Severity.MEDIUM,
        contained=Severity.HIGH,
        fix="build as a user of its own without capabilities; mount /proc with hidepid=2",
        look=_others_environments,
    ),
    Check(
        id="SEC-15",
        title="Core dumps",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="set fs.suid_dumpable=0 and `ulimit -c 0`",
        look=_core_dumps,
    ),
    Check(
        id="SEC-16",
        title="Signing material in the build",
        whole=Severity.HIGH,
        contained=Severity.HIGH,
        fix="sign in a step of its own, after the build, as another user",
        look=_signing,
    ),
)
