"""What can go wrong with a command or question at the edge.

ServicesError
├── SettingsError      a setting that can't work; names it
├── AlreadyRunning     another process works on the same data directory
├── BackupError        a backup that can't be made or restored; nothing was changed
├── ServiceError       the command line's service refused, or could not be reached
├── CutOff             this node has not heard from the control log for too long to sign
├── OutboundError      an address that a tenant named could not be called
│   ├── AddressRefused     it may not be called: not https, with a password, or of a network that is not public
│   ├── Unreachable        there is no such host, no connection, or it broke
│   ├── TlsFailed          it does not prove to be who it is
│   ├── NoAnswerInTime     it took too long
│   └── UnusableAnswer     it answers too much, or redirects too often
└── Refused            the request can't be carried out as it is
    ├── Unauthenticated    no valid token
    ├── Forbidden          a token without the scope
    │   └── FormRefused    a form of the console that was not made for this session, or not sent from here
    ├── NotFound           nothing there, or not for this principal
    ├── Conflict           it contradicts what is there
    ├── Invalid            a parameter or body is wrong; names it
    ├── TooLarge           more than a request may hold
    ├── TooMany            as many of it are under way as may be
    └── Reused             an `Idempotency-Key` that was used for something else

Each message says what happened, to what, and what to do. Which HTTP problem each becomes stands in `services.api.problems`.
"""

from __future__ import annotations


class ServicesError(Exception):
    """The root of all errors of `services`."""


class SettingsError(ServicesError):
    """A setting that can't work."""


class AlreadyRunning(ServicesError):
    """Another process works on the same data directory."""


class BackupError(ServicesError):
    """A backup that can't be made or restored. Unless the message says otherwise, nothing was changed."""


class ServiceError(ServicesError):
    """The service that the command line talks to refused, or could not be reached."""


class CutOff(ServicesError):
    """This node has not heard from the control log for so long that its active key may be compromised by now."""


class OutboundError(ServicesError):
    """An address that a tenant named could not be called. The message names the host, and never the rest, which may be a secret."""


class AddressRefused(OutboundError):
    """The address may not be called."""


class Unreachable(OutboundError):
    """There is no such host, no connection with it, or it broke."""


class TlsFailed(OutboundError):
    """The host does not prove to be who it is."""


class NoAnswerInTime(OutboundError):
    """The host took too long."""


class UnusableAnswer(OutboundError):
    """The host answers too much, or redirects too often."""


class Refused(ServicesError):
    """The request can't be carried out as it is."""


class Unauthenticated(Refused):
    """There is no valid token."""


class Forbidden(Refused):
    """The token lacks a scope."""


class FormRefused(Forbidden):
    """A form was made for another session, or sent from another site."""


class NotFound(Refused):
    """Nothing is there, or nothing that this principal may know of: both answer the same."""


class Conflict(Refused):
    """It contradicts what is there."""


class Invalid(Refused):
    """A parameter or a body is wrong."""


class TooLarge(Refused):
    """More than a request may hold."""


class TooMany(Refused):
    """As many of it are under way as may be: for this tenant, or in all."""


class Reused(Refused):
    """An `Idempotency-Key` that was used for another request."""
