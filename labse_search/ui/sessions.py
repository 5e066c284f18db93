"""What Gradio remembers of open pages: not for ever, and not of any number of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from gradio.state_holder import StateHolder

SESSIONS = 256  # pages whose values are remembered; one that was forgotten starts anew when it asks again
SESSION_SECONDS = 6 * 3600


def forget_old(holder: StateHolder) -> None:
    """Drop the sessions that asked nothing for hours. Gradio itself keeps 10,000 until it ends."""
    limit = datetime.now() - timedelta(seconds=SESSION_SECONDS)
    with holder.lock:
        for session in [one for one, used in holder.time_last_used.items() if used < limit]:
            holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)
