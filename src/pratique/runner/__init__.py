"""The posture of the machine that builds: what can be seen from inside, before any untrusted code runs.

Every check gives pass, fail, not-applicable or unknown. What is absent or may not be read is unknown, never a
pass. Reading is all that happens here: nothing is changed, executed or sent.
"""
