"""The judge: whether a canary is promoted, aborted, or must go on. Pure decisions over frozen records and arrays.

records     what is known of a rollout, what was counted, what was decided
grid        raw counters and weight intervals -> strata
evidence    strata -> e-processes, vectorised
health      what only blocks a promotion (sample ratio, coverage, mix of truth), and availability
decision    all of it -> one verdict
planning    how long your traffic needs
"""
