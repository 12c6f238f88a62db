"""The warm worker: Prefect's process worker, with every run in a process that was ready before it was asked for.

    main ──fork──> zygote ──fork──> children, each parked until it gets one run, which it carries out and ends
      └─ becomes the worker: asks Prefect for runs, gives each to a child

__main__      the life of the process: import everything, fork the zygote, be the worker, drain
ahead         what is imported before the fork
zygote        forks when it is told to, and tells who ended how; it never starts a thread
child         parked, then one run
leaving       its end
brood         the children, as the worker sees them
waking        when to ask Prefect for runs: when the router says so
limits        how much memory a run may take
executing     a run in a child, for Prefect's own executor
process_pool  Prefect's process worker, whose runs are given to children
messages      what they say to each other
surroundings  the environment that a run's job variables ask for
lean          what Prefect does for each run that nobody here needs

Only this package knows names of Prefect that it calls its own; `tests/unit/test_prefect_names.py` says which are gone.
"""
