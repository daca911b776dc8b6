"""What some models ask for beside arguments: the files and objects of an account that nobody has."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def oci_config() -> str:
    """The path of a configuration of the OCI SDK, with a key to sign with that is made for this run.

    The SDK signs each request with it; no one else knows it, and it opens nothing.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - the SDK brings it
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    key_file, config = folder / "key.pem", folder / "config"
    key_file.write_bytes(pem)
    config.write_text(
        "[DEFAULT]\n"
        "user=ocid1.user.oc1..conformance\n"
        "tenancy=ocid1.tenancy.oc1..conformance\n"
        "fingerprint=00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\n"
        "region=us-chicago-1\n"
        f"key_file={key_file}\n",
        encoding="utf-8",
    )
    for file in (key_file, config):
        file.chmod(0o600)
    return str(config)
