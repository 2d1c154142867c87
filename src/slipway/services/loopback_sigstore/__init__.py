"""A Sigstore of this machine, for tests and the demo, whose clients are the real ones: what they need and nothing more.

It is GitHub's token endpoint, Fulcio, a CT log's signature on each certificate, Rekor (v1 and v2) and a time stamp
authority, with keys of its own that stay in a folder: started again there, it is the same instance and its old bundles
verify. Every signature, Merkle path and time stamp is real, and the unmodified sigstore client judges them.

What it does not prove: that anybody is who the certificate says. Whoever reaches it and has the request token (both
are on this machine) names repository, workflow and commit as they like, and nobody watches its log. It says nothing
about GitHub, the public-good Fulcio, Rekor and their operation, TUF, or certificates that are revoked or misissued.
So it listens at 127.0.0.1 only, answers to that name only, and must never be in a policy: it is trusted by who sets
$SLIPWAY_LOOPBACK_TRUST, for that process.
"""
