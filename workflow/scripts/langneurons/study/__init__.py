"""The planner: what is asked for, whether it can be, and what jobs are told.

It looks into what the plug-ins declare, so it stands last but the report.
"""
