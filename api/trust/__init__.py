"""Signing a store and checking one: who made it, and that it is whole, current and unaltered (TUF).

Importing this loads tuf and cryptography: the server never does.
"""

from api.trust.keys import TrustError, keyring
from api.trust.sign import initialise, rotate, sign_store, withdraw
from api.trust.verify import Verdict, verify

__all__ = ["TrustError", "Verdict", "initialise", "keyring", "rotate", "sign_store", "verify", "withdraw"]
