"""What this machine and this installation lack, and the command that mends it. Imports nothing heavy."""
