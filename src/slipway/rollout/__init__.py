"""A rollout from outside: its steps, what is seen of it, and what Git must say when it has ended. Pure.

records   what a rehearsal tells, and what the relay sees
analysis  measurements to the end of an AnalysisRun, as the controller counts them
steps     a Rollout's steps to their end
seen      a Rollout, its Deployment and its AnalysisRuns, as one `Seen`
relay     what is seen against what Git says: what has to be done
"""
