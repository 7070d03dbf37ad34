"""The commands, a file each.

At its top a module imports only what its signatures need; the rest it imports where it runs, so that `echolens --help`
loads neither torch nor FastAPI.
"""
