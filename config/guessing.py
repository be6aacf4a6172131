"""Finds secrets that can be guessed: anybody who guesses one can forge every user's token."""

import re
import zlib
from itertools import pairwise

MAKE_ONE = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
MINIMUM_BYTES = 32  # RFC 7518, 3.2
PUBLISHED = {
    "better-auth-secret-12345678901234567890",  # Better Auth's public default
    "replace-me-with-the-secret-of-your-better-auth-server",  # .env.example
    "replace-me-with-fifty-or-more-random-characters-of-your-own",  # .env.example
}
MINIMUM_CHARACTERS = 6  # different ones; of ten million texts of 32 random digits one has fewer
MINIMUM_SURPRISE = 31  # see `surprise`; 32 random digits have 33 or more, most other secrets 37
# Words of secrets that were meant to be replaced later, without the characters between them.
PLACEHOLDER = re.compile(
    r"(change|replace)(me|it|this|with|before|in)|your(own|key|jwt|better|auth|super|strong|random|long|\d*bits?)"
    r"|(your|my|some|super|very|top|keep|keepit|not|nota|insert|long|\dbit)secret|secret(key|here)|betterauthsecret"
    r"|example|placeholder|password|passphrase|insecure|default|generate(a|with)|setareal|randomstring|donotuse"
    r"|qwerty|asdfgh|1q2w3e|letmein|correcthorse|quickbrownfox"
)


def weakness(secret: str, *, production: bool) -> str:
    """What is wrong with it, to follow its name; "" if it may be used. In development a guessable one may be used."""
    size = len(secret.strip().encode())
    if secret.strip() in PUBLISHED:
        problem = "is a published example, which anybody can sign with"
    elif size < MINIMUM_BYTES:
        return f"is {size} bytes long: set one of {MINIMUM_BYTES} or more. {MAKE_ONE} makes a good one."
    elif not production:
        return ""
    elif PLACEHOLDER.search(re.sub(r"[\W_]+", "", secret.lower())):
        problem = "can be guessed, as it has the words of a placeholder"
    elif len(set(secret)) < MINIMUM_CHARACTERS or surprise(secret) < MINIMUM_SURPRISE:
        problem = "can be guessed, as it is a repetition, a sequence or made of a few characters"
    else:
        return ""
    return f"{problem}: set a secret of your own. {MAKE_ONE} makes a good one."


def surprise(secret: str) -> int:
    """The compressed length, in bytes, of the steps from byte to byte: runs and repetitions compress to little."""
    data = secret.encode()
    steps = bytes((after - before) % 256 for before, after in pairwise(data))
    return len(zlib.compress(steps, 9))
