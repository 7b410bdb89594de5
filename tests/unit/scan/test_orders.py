"""Orders that the ecosystems' own documents give, and what no order takes."""

from __future__ import annotations

import pytest
from packageurl import PackageURL

from pratique.scan.orders.encoding import UnorderableError
from pratique.scan.versions import VERSION_KEYS, package_key, package_name, releases_of, stored_ecosystem


@pytest.mark.parametrize(
    ("ecosystem", "versions"),
    [
        # Debian Policy 5.6.12: a tilde before the end, letters before all other characters
        ("Debian", "1~~ 1~~a 1~ 1 1a 1a.1 1+ 1+b1 1.0 1.0-1 1.0-1+b1 1.0.1 1.10 2:0.9"),
        # rpm-version(7): tilde before, caret after, but before more of the version; digits over letters
        ("Red Hat", "1.0~rc1 1.0 1.0^git1 1.0.a 1.0.1 1.0.10 1.1 1:0.1"),
        # as APKBUILD(5) describes pkgver
        ("Alpine", "1.0_alpha 1.0_beta2 1.0_pre 1.0_rc1 1.0 1.0-r1 1.0_git2 1.0_p1 1.0a 1.0.01 1.0.1 1.1"),
        # Maven's POM reference, "Version Order Specification"
        ("Maven", "1-alpha 1-beta-2 1-beta-123 1-m1 1-rc 1-snapshot 1 1-sp 1-foo2 1-foo10 1-1 1.1"),
        # Gem::Version: "1.0.a.2 is a pre-release, sorted before 1.0"
        ("RubyGems", "0.9 1.0.a.2 1.0.b1 1.0.rc1 1.0 1.0.0.1 1.0.1 1.10"),
        # NuGet, "Package versioning"
        ("NuGet", "1.0.1-alpha 1.0.1-Beta.2 1.0.1-beta.11 1.0.1-rc.10 1.0.1-zzz 1.0.1 1.0.1.1"),
        # PHP, version_compare: dev < alpha < beta < RC < # < pl
        ("Packagist", "1.0-dev 1.0-alpha1 1.0-beta 1.0-RC1 1.0-RC2 1.0 1.0-patch1 1.0.1"),
    ],
)
def test_documented_order(ecosystem: str, versions: str) -> None:
    keys = [VERSION_KEYS[ecosystem](version) for version in versions.split()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("ecosystem", "left", "right"),
    [
        ("Debian", "1.0", "0:1.0-0"),
        ("Red Hat", "1.0.", "0:1_0"),
        ("Maven", "1.0.0-ga", "1-FINAL"),
        ("RubyGems", "1.0.0.a", "1.a"),
        ("NuGet", "1.0", "1.0.0.0+meta"),
        ("Packagist", "v1.2", "1.2.0.0"),
    ],
)
def test_spellings_of_one_version(ecosystem: str, left: str, right: str) -> None:
    assert VERSION_KEYS[ecosystem](left) == VERSION_KEYS[ecosystem](right)


NO_VERSIONS = ["", "1.\N{ARABIC-INDIC DIGIT TWO}", "1" * 5000, "1.0.0 \n1", "\x00", "1.0a" + "1" * 60 + "!"]


@pytest.mark.parametrize("ecosystem", VERSION_KEYS)
def test_no_order_takes_what_is_no_version_or_takes_for_ever(ecosystem: str) -> None:
    # Maven gives any short ASCII text a place
    for text in NO_VERSIONS[:3] if ecosystem == "Maven" else NO_VERSIONS:
        with pytest.raises(UnorderableError):
            VERSION_KEYS[ecosystem](text)


def test_branches_of_packagist_have_no_place() -> None:
    for branch in ("dev-main", "1.x-dev", "master"):
        with pytest.raises(UnorderableError):
            VERSION_KEYS["Packagist"](branch)


@pytest.mark.parametrize(
    ("purl", "releases"),
    [
        ("pkg:deb/debian/curl@1?distro=debian-12.5", ("Debian:12", "Debian")),
        ("pkg:deb/debian/curl@1?distro=12", ("Debian:12", "Debian")),
        ("pkg:deb/debian/curl@1?distro=sid", None),
        ("pkg:deb/debian/curl@1", None),
        ("pkg:deb/ubuntu/curl@1?distro=ubuntu-22.04", ("Ubuntu:22.04", "Ubuntu:22.04:LTS", "Ubuntu")),
        ("pkg:apk/alpine/curl@1?distro=alpine-3.19.1", ("Alpine:v3.19", "Alpine")),
        ("pkg:rpm/rocky/curl@1?distro=rocky-9.3", ("Rocky Linux:9", "Rocky Linux")),
        ("pkg:rpm/redhat/curl@1?distro=rhel-9.3", None),
        ("pkg:gem/rails@1", ("RubyGems",)),
    ],
)
def test_a_distributions_packages_belong_to_one_release(purl: str, releases: tuple[str, ...] | None) -> None:
    assert releases_of(PackageURL.from_string(purl)) == releases


def test_names_and_ecosystems_are_stored_in_one_spelling() -> None:
    assert [stored_ecosystem(text) for text in ("debian:12", "PyPI:x", "maven", "Hex:1")] == [
        "Debian:12",
        "PyPI",
        "Maven",
        "Hex",
    ]
    assert package_key("NuGet", "Newtonsoft.Json") == "newtonsoft.json"
    assert package_name(PackageURL.from_string("pkg:maven/org.x/y@1")) == "org.x:y"
    assert package_name(PackageURL.from_string("pkg:composer/symfony/http@1")) == "symfony/http"
    assert package_name(PackageURL.from_string("pkg:deb/debian/curl@1")) == "curl"
