"""What requests and answers of models say, without sending or hooking anything.

Enters: paths, bodies, lines of batches, and usage as the providers write it.
Leaves: `Reading` and `Usage`: model, tokens, texts, errors, in one shape for all providers.
May import: nothing.
"""
