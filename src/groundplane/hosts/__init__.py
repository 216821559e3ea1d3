"""The one narrow door to a machine: SSH, the survey and its parser."""
