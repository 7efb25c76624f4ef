"""The processes behind the bot: thin jobs, their workers, the clock and the pool that keeps them running."""
