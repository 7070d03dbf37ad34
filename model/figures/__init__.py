"""Pictures of what a model has learnt; nothing here is imported until one is asked for."""
