"""Stand-ins for what an account would give."""

import configparser
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conformance.integrations.standins import oci_config


def test_the_configuration_of_oci_names_a_key_made_for_the_run() -> None:
    """One for the process, with all that the SDK asks for, and readable by its owner alone."""
    file = Path(oci_config())
    assert oci_config() == str(file)
    found = configparser.ConfigParser()
    found.read(file)
    assert set(found["DEFAULT"]) == {"user", "tenancy", "fingerprint", "region", "key_file"}
    key_file = Path(found["DEFAULT"]["key_file"])
    assert isinstance(load_pem_private_key(key_file.read_bytes(), password=None), RSAPrivateKey)
    assert {stat.S_IMODE(each.stat().st_mode) for each in (file, key_file)} == {0o600}
