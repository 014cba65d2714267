"""A client certificate in the form that ADF keeps, PFX, as a PEM text: needs the extra `web`."""

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from manara.errors import WrongDefinition


def pem_of(pfx: bytes, password: str, where: str) -> str:
    """Return the certificate, its chain and its key as PEM.

    Raises WrongDefinition for what is no PFX, for a wrong password, and for one without a certificate or a key.
    """
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(pfx, password.encode() if password else None)
    except ValueError:
        raise WrongDefinition(
            "The certificate is no PFX and no PEM, or its password is wrong.",
            where=where,
            advice="Give a PFX file in base64 with its password, or a PEM text.",
        ) from None
    if key is None or certificate is None:
        raise WrongDefinition("The PFX holds no certificate with its key.", where=where, advice="Export both into it.")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = [each.public_bytes(Encoding.PEM) for each in (certificate, *chain)]
    return b"".join([private, *public]).decode("ascii")
