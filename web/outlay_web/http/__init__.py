"""What every request passes: host, origin, size, credential; parameters in, errors and encodings out.

Enters: requests.
Leaves: scopes and credentials for handlers; one shape of error.
May import: nothing.
"""
