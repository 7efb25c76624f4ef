"""The words that the offline planner knows; how they make up a sentence is read in `words`."""

import re

DEPLOY = re.compile(
    r"\b(deploy|redeploy|ship|promote|roll ?out|push|launch|publish|install"
    r"|(put|get|bring|move|send|take)\b.{0,60}?\b(live|to|on|onto|into|in|out)"
    r"|make\b.{0,60}?\blive|(i|we)d? (would )?(want|need|like)\b.{0,60}?\b(on|in)|set\b.{0,60}?\bto"
    r"|(need|want|like)\b.{0,60}?\b(deployed|shipped|live)\b|mind (deploying|shipping|releasing)"
    r"|(can|could|may) (we|i) (please )?(have|get)\b.{0,60}?\b(on|in)"
    r"|go(ing)? live with|update|upgrade|bump)\b"
)
RELEASE = re.compile(
    r"^((please|can|could|would|will|you|we|lets|let us|i|want|to|need|hey|hi|now|then|and|so)\s+)*"
    r"release\b"
)
ROLL_BACK = re.compile(
    r"\b(roll(ing)?\b.{0,60}?\bback|rollback|roll-back|revert|undo|back ?out|go back|switch back)\b"
)
NEGATED = re.compile(
    r"\b(dont|do not|never|must not|should not|shouldnt|no need to|rather not|not)\s+(\w+\s+){0,2}?"
    r"(deploy|ship|promote|release|push|roll|revert|rollback|undo|do|touch|launch|publish)\b"
    r"|^no (more )?(deploys?|deployments?|releases?|roll ?backs?)\b"
)
STOP = re.compile(
    r"^((please|ok|okay|oh|no|actually|wait|hey|lets|just)\s+)*"
    r"(stop|cancel|abort|never ?mind|forget (it|that|about)|leave (it|that)|drop (it|that)|hold off"
    r"|no thanks|no thank you|not now|not yet|not today|enough|do nothing)\b"
)
NO = re.compile(r"^(no|nope|nah|negative|deny|denied|reject|rejected|not this|not that|wrong)\b")
YES = re.compile(
    r"^(yes|y|yep|yeah|yup|sure|ok|okay|go|do it|please do|confirm|confirmed|approve|approved|lgtm"
    r"|now|immediately|right away|straight away|propose|sounds good|looks good|correct|right|exactly|again|retry|try again|continue|proceed|carry on"
    r"|please)\b"
)
AGAIN = re.compile(r"\b(again|retry|once more|same|it|that|this|them|those|these|too|also)\b")
THANKS = re.compile(
    r"^((ok|okay|great|perfect|cool|nice|awesome|super|many|oh|all good)\s+)*"
    r"(thanks|thank you|thx|ty|cheers|great|perfect|nice|cool|awesome|super|well done|good (job|bot)"
    r"|all good|danke|merci)\b"
)
THANKS_FOR = re.compile(r"^(many )?(thanks|thank you|thx|ty|cheers)\b[^,.;]*\bfor\b[^,.;]*$")
"""Thanks for something done; "deploy" in it asks for nothing."""
GREETING = re.compile(
    r"^(hi|hello|hey|yo|good (morning|afternoon|evening)|howdy|greetings|ping|test)\b"
)
HELP = re.compile(
    r"^(help|usage|commands|man)\b|\bwhat (can|do) you do\b|\bhow (do|can|does|should) (i|we|you|this|it)\b"
    r"|\bwho are you\b|\bwhat are you\b|\bhelp me\b"
)
REQUEST = re.compile(r"\b(can|could|would|will|wont|cant|couldnt) (you|u|we|someone|somebody|i)\b")
QUESTION = re.compile(
    r"^((hey|hi|hello|so|and|ok|okay|please|um|well|can|could|you|just|quick question)\s+)*"
    r"(whats|what|which|where|wheres|when|who|whos|why|is|are|was|were|has|have|did|does|how|any"
    r"|anything|show|list|tell|give|see|check|should|shall|display|remind)\b"
)
WANTS_TO_KNOW = re.compile(
    r"^((hey|hi|so|ok|please|i|we)\s+)*(wanna|want to|would like to|d like to|need to|lemme|let me)\s+"
    r"(see|know|check|look)\b"
)
ASKS_BACK = re.compile(
    r"[,.;:]\s+(and |but |so )?(is|are|was|were|does|did|do|has|have|should|shall|would|what|whats"
    r"|why|who|when|which|how|isnt|doesnt|right|correct)\b[^,.;:]*\?$"
)
"""A question behind something else: "…, is that still right?"."""
SUGGESTS = re.compile(r"^((and|ok|so|hm+|no)\s+)*(why (not|dont (we|you))|what about|how about)\b")
TAGS = re.compile(r"\b(tags?|releases|versions)\b")
COMMITS = re.compile(r"\b(commits?|changelog|git log|log|merged?|history)\b")
PENDING = re.compile(
    r"\b(whats new|what is new|what changed|changes|pending|undeployed|behind|waiting"
    r"|not (yet )?(live|deployed|released|shipped))\b"
)
LIVE = re.compile(
    r"\b(live|deployed|running|status|state|environments?|held|locked|version|up|serving|current"
    r"|currently|shipped|released|overview)\b"
)
ONLY_LIVE = re.compile(
    r"^(the )?(current versions?|status|state|environments?|overview|live|deployments?|deploys)\b(?! with)"
)
ONLY_COMMITS = re.compile(
    r"^(the )?((last|latest|recent|newest)\s+)?(\d+\s+)?(recent |last )?commits?\b|^(git )?log\b"
)
ONLY_TAGS = re.compile(r"^(the )?((last|latest|recent|newest|all)\s+)?(\d+\s+)?(tags?|releases?)\b")

GOES_ON = re.compile(r"[,.;]\s|\b(and|but|instead)\b")
CORRECTED = re.compile(
    r"\b(no wait|wait no|actually|i mean|i meant|sorry|correction|or rather)\b", re.IGNORECASE
)
SILENT = frozenset(
    {
        *("the", "please", "now", "on", "to", "in", "at", "for", "of", "thanks", "with", "and"),
        *("asap", "first", "then", "both", "tag", "commit", "version", "release"),
    }
)
"""Words that say nothing beside names."""

EVERYTHING = re.compile(
    r"\b(everything|both|all( of)?( the| our)? (services|of them)|all of it|all of them|the lot"
    r"|every service|all(?! (day|night|week|morning|afternoon|good|right|set|green|tests?|checks?)\b))\b"
)
EVERYWHERE = re.compile(r"\b(everywhere|(all|both|every)( the| our)? environments?)\b")
FIRST = re.compile(r"\bfirst\b|\b(start|begin) with\b|\bbefore\b")
ADDS = re.compile(r"\b(also|too|as well|in addition)\b|^and\b")

LATEST_TAG = re.compile(
    r"\b(latest|newest|most recent|last|current) (\w+ )?(tags?|tagged|release)\b|\blast tagged\b"
)
LATEST = re.compile(r"\b(latest|newest|most recent|tip|up to date|head)\b")
BEFORE = re.compile(
    r"\b(one|commit|version|release|build|tag) (right |just )?before\b"
    r"|\b(previous|prior|earlier|older) (one|commit|version|release|build|tag)\b"
    r"|\bthe (previous|prior|older|earlier)( one)?\b|\bone (commit |tag |release )?earlier\b"
)
CLAUSE = re.compile(r"[,.;]\s+")
EITHER = re.compile(r"\b(or|whichever)\b")
_COMMIT = r"(?:commit|change|fix|merge|one|version|build|release)"
DESCRIBED = re.compile(
    rf"\b{_COMMIT}s? (?:with|about|that|which|where|containing|titled|called|named)\b(.*)"
)
DESCRIBED_BEFORE = re.compile(rf"\b{_COMMIT} (?:right |just )?before\b(.*)")
DESCRIBED_IN_FRONT = re.compile(
    r"\b(?:the|that|this|deploy|ship)\s+((?:[\w-]+\s+){1,5}?)(?:commit|change)\b"
)
PULL_REQUEST = re.compile(r"(?:\b(?:pr|mr|pull request|merge request)\s*#?\s*|#)(\d{1,7})\b")
DELAY = re.compile(
    r"\b(?:wait|in|for|after|give it)\s+(?:another\s+)?(\d{1,4}|an?|half an)\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|days?)\b"
)
LATER = re.compile(
    r"\b(tomorrow|tonight|later|next (week|month|sprint|monday|friday)|this (evening|afternoon)"
    r"|on (mon|tues|wednes|thurs|fri|satur|sun)day|after (lunch|the meeting|standup|work)"
    r"|at \d{1,2}(:\d\d)? ?(am|pm|h|oclock|utc)?)(?=\s|$)"
)
CLOCK = re.compile(
    r"(?:\b(?P<day>today|tonight|tomorrow|\d{4}-\d{2}-\d{2})\s+)?(?:\bat\s+|(?<=tonight )|(?<=tomorrow ))"
    r"(?P<hour>[01]?\d|2[0-3])(?:[:.h](?P<minute>[0-5]\d))?\s*(?P<half>am|pm)?\b(?![.:/@-])"
    r"(?:\s+(?P<other>today|tonight|tomorrow)\b)?"
)
"""A time of day that a timer can keep: "at 02:00", "tomorrow at 9:30", "at 2am tonight"."""
IN_TURN = re.compile(r"\b(first|then|after|before|afterwards|followed by|and finally)\b")
"""Words by which people give an order of their own, one after the other."""
CONDITION = re.compile(
    r"\b(if|(?<!\bat )once|unless|when|until|as soon as)\b"
    r"(?! (possible|you can|ok|okay|you have|ready|more|you get|again))"
)

ENVIRONMENTS = {
    "prod": "production",
    "prd": "production",
    "prods": "production",
    "stg": "staging",
    "stage": "staging",
    "dev": "development",
    "preprod": "staging",
}
"""What people call environments, when they do not use their names."""

PREPOSITIONS = frozenset({"to", "on", "in", "onto", "into", "at", "for", "from"})
NAMES_A_REF = frozenset({"branch", "tag", "ref", "commit", "sha", "version", "release"})
BRANCHES = frozenset({"main", "master", "develop", "trunk"})

KNOWN = frozenset(
    """
    a about actually afternoon again ahead all also an and another any anything app are as asap at
    awesome back be because been before begin behind better bit both bot branch bring bug build but
    by can cancel cannot change changed changes check cheers code commit commits could couldnt
    current currently day days deploy deploybot deployed deploying deployment deployments did do does
    done dont down earlier else environment environments error evening ever every everyone everything
    everywhere except excluding failed failing few fine first fix fixed fixes folks for forget from
    get give go going gonna good great guys had happened has have head hello help here hey hi hotfix
    hour hours how however i id if im in instead into is issue it its just kindly last later latest
    launch leave left let lets like list live log lot make many may me merged minute minutes moment
    month more morning most move my need never new newest next no not nothing now of off ok okay old
    older on once one ones only onto or other our out over own please possible pr previous prior
    proceed promote publish push put quick quickly quite ready really recent ref release released
    releases request restart retry revert right roll rollback rollout rolled rolling run running safe
    same second seconds see send service services sha ship shipped should show sir site so some
    someone soon soonish start state status still stop stuff sure switch tag tagged tags take team
    test tests than thank thanks that thats the their them then there these they thing things this
    those time tip to today together tomorrow tonight too try twice u undo until up update urgent
    urgently us use using version versions very via wait want was way we website week well were what
    whats when where which who whole why will with without work works would wrong yes yet you your
    """.split()  # noqa: SIM905 - a list of words is easier to read than a list of strings
)
"""Words that name neither a service nor an environment, however close they come to one."""
