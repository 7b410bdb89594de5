"""OpenID Connect as a certificate authority needs it: tokens, providers' keys, who a token speaks of."""
