"""Signs as Amazon SNS does, with a key of its own.

    sign.py CERTIFICATE.pem [AUTHORITY.pem]

writes its certificate to the first file, and answers each line of JSON, a message of SNS without its
Signature, with the same message signed. SignatureVersion 1 is SHA-1, 2 is SHA-256.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

Its first line is empty. With the second file it is `127.0.0.1:PORT`: there the certificate is served
as /sns.pem over HTTPS, by a server that the authority in that file vouches for.
"""

import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import sys
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

SIGNED = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": [
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ],
    "UnsubscribeConfirmation": [
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ],
}


def make_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_certificate(common_name, key, issuer=None, issuer_key=None, is_authority=False):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2040, 1, 1))
        # With an extension it is of version 3, as Amazon's are.
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def serve(content, authority_path):
    """Serves the content to whoever asks; where."""
    authority_key, server_key = make_key(), make_key()
    authority = make_certificate("authority", authority_key, is_authority=True)
    server = make_certificate("server", server_key, authority, authority_key)
    with open(authority_path, "wb") as file:
        file.write(pem(authority))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as chain:
        chain.write(key_pem(server_key) + pem(server))
        chain.flush()
        context.load_cert_chain(chain.name)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    return f"127.0.0.1:{listener.server_address[1]}"


key = make_key()
certificate = pem(make_certificate("sns.amazonaws.com", key))
with open(sys.argv[1], "wb") as file:
    file.write(certificate)
print(serve(certificate, sys.argv[2]) if len(sys.argv) > 2 else "", flush=True)

for line in sys.stdin:
    message = json.loads(line)
    text = "".join(
        f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message
    )
    digest = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
    signature = key.sign(text.encode(), padding.PKCS1v15(), digest)
    message["Signature"] = base64.b64encode(signature).decode()
    print(json.dumps(message), flush=True)
