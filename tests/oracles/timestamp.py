"""Another reader of RFC 3161 answers: one line of JSON in, one word out, for each.

Arguments: a PEM file of trusted roots. A line: {"answer": hex, "imprint": hex, "nonce": number or null}.
"""

import json
import sys

from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response


def holds(roots, case):
    builder = VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    if case["nonce"] is not None:
        builder = builder.nonce(case["nonce"])
    try:
        answer = decode_timestamp_response(bytes.fromhex(case["answer"]))
        # Who is between stands in the answer; this verifier wants to be told.
        for certificate in answer.signed_data.certificates:
            certificate = x509.load_der_x509_certificate(certificate)
            try:
                limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
            except x509.ExtensionNotFound:
                continue
            if limits.ca and certificate not in roots:
                builder = builder.add_intermediate_certificate(certificate)
        return bool(builder.build().verify(answer, bytes.fromhex(case["imprint"])))
    except Exception as fault:
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
        return False


def main():
    with open(sys.argv[1], "rb") as file:
        roots = x509.load_pem_x509_certificates(file.read())
    for line in sys.stdin:
        print("holds" if holds(roots, json.loads(line)) else "refused", flush=True)


main()
