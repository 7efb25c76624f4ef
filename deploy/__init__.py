"""Deterministic deploys: plans, policy, targets and journals; who asked and who agreed is elsewhere."""
