"""What embedforge raises. Each message is one line that names the file, tensor or field and what to do."""


class EmbedforgeError(RuntimeError):
    """A mistake inside embedforge; please report it."""


class UsageError(ValueError):
    """A parameter has no meaning here (exit status 2 of the command line)."""


class BadInputError(ValueError):
    """A model, text or file is damaged, missing or contradictory (exit status 3)."""


class NotSupportedError(NotImplementedError):
    """Valid, but this build, processor or engine can't do it (exit status 4)."""


class RemoteError(ConnectionError):
    """A server or download failed (exit status 5)."""
