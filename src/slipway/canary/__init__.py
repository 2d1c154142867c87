"""The judge: whether a canary is promoted, aborted, or must go on. Pure decisions over frozen records and arrays.

records     what is known of a rollout, what was counted, what was decided
grid        raw counters and weight intervals -> strata
gating      what each gated step asks for
evidence    strata -> e-processes, vectorised
health      doubts (sample ratio, coverage, mix of truth), and whether the canary answers at all
weighing    all of it on scales, at one look
holding     what blocks a promotion, now and over time
decision    one verdict, or the trace of how it came about
wording     what a verdict says to the person on call
planning    how long your traffic needs
explaining  what to draw of a trace
facts       the controller's objects -> weight intervals
latency     histograms -> the bound of the latency metric
scrapes     since when samples are known
query       the question as the Prometheus query API carries it
settings    rollouts/judge.yaml
units       how lengths of time and shares are written
"""
