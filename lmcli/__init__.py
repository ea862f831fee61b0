"""lmcli: from a folder of text to a small language model that can be measured, talked to and handed on."""

__version__ = "0.1.0"
