"""NodeView to bytes and back, and its ETag.

Pure. The ETag is over the content without the revision: a change elsewhere in the database does not ring.
"""

from __future__ import annotations

import hashlib

import msgspec

from nebula.view.records import NodeView

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(NodeView)


def encode(view: NodeView) -> bytes:
    """JSON; equal views give equal bytes."""
    return _encoder.encode(view)


def decode(body: bytes) -> NodeView:
    """Raises ``msgspec.ValidationError`` (a ValueError) where the body is not a whole view."""
    return _decoder.decode(body)


def etag(view: NodeView) -> str:
    """A strong entity tag (RFC 9110 section 8.8.3), quotes included."""
    content = _encoder.encode(msgspec.structs.replace(view, revision=0))
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
