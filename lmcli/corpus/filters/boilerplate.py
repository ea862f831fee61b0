"""The furniture of web pages: lines that are about the page and not part of its text."""

from __future__ import annotations

import functools
import re
from typing import Annotated

from annotated_types import Ge

from lmcli.config import section
from lmcli.corpus.documents import Drop

# A line goes that has one of these anywhere.
_ANYWHERE = tuple(
    """
    all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados|we use cookies|
    site uses cookies|our use of cookies|consent to the use of cookies|cookie policy|please enable javascript|
    版权所有|版權所有|保留所有权利|保留所有權利|icp备|icp備|icp证|icp證|公网安备|责任编辑|責任編輯
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)

# A line goes that is one of these, whatever arrows, brackets and bullets stand around it.
_WHOLE = frozenset(
    """
    accept|accept all|accept all cookies|accept cookies|add to cart|advertisement|advertisements|back to top|
    click here|contact us|continue reading|cookie settings|create an account|about us|facebook|follow us|
    forgot password|forgot your password?|instagram|join now|keep reading|learn more|leave a comment|leave a reply|
    linkedin|load more|log in|login|manage cookies|my account|next article|next page|next post|older posts|newer posts|
    pinterest|please wait|post a comment|previous article|previous page|previous post|print this page|privacy policy|
    read more|related articles|related posts|reject all|report this ad|scroll to top|see more|share|share this|
    show less|show more|sign in|sign up|site map|sitemap|skip to content|skip to main content|skip navigation|sponsored|
    subscribe|subscribe now|terms and conditions|terms of service|terms of use|toggle navigation|tweet|twitter|view all|
    view more|whatsapp|you may also like|anzeige|datenschutz|impressum|mehr lesen|weiterlesen|lire la suite|
    mentions légales|leer más|aviso legal|上一篇|下一篇|上一页|下一页|上一頁|下一頁|上一章|下一章|首页|返回首页|
    返回顶部|返回目录|返回列表|点击查看|点击查看更多|查看更多|加载更多|阅读全文|阅读原文|閱讀全文|展开全文|点击阅读|相关阅读|
    相关文章|相关推荐|推荐阅读|热门推荐|猜你喜欢|加入收藏|设为首页|关于我们|联系我们|聯絡我們|網站地圖|网站地图|友情链接|
    隐私政策|用户协议|服务条款|免责声明|登录|注册|登录注册|分享到|分享|收藏|点赞|举报|广告|廣告|发表评论|我要评论|打印本页|
    关闭窗口|下载app|打开app
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)

# A line goes that begins with one of these; each begins with a plain character, by which it is found.
_STARTS = (
    r"click here (?:to|for)\b",
    r"continue (?:reading|to the next page)\b",
    r"copyright ?(?:©|\(c\)|(?:19|20)[0-9]{2}\b)",
    r"© ?(?:copyright )?(?:19|20)[0-9]{2}\b",
    r"c\) ?(?:copyright )?(?:19|20)[0-9]{2}\b",
    r"by (?:continuing to (?:use|browse)|using) (?:this|our) (?:web)?site\b",
    r"filed under ?:",
    r"follow (?:us|me) on\b",
    r"like us on facebook",
    r"page [0-9]{1,5}(?: ?(?:of|/) ?[0-9]{1,5})?$",
    r"posted (?:in|under|on) ?:",
    r"powered by (?:wordpress|blogger|disqus|vbulletin|phpbb|drupal|joomla|shopify|wix|mediawiki|discuz|hexo)\b",
    r"read more ?[:»…]",
    r"seite [0-9]{1,5}(?: von [0-9]{1,5})?$",
    r"share (?:this )?(?:on|via|with) (?:facebook|twitter|linkedin|pinterest|reddit|whatsapp|e-?mail)\b",
    r"share this (?:article|post|page|story)\b",
    r"sign up (?:for|to) (?:our|the|receive)\b.{0,40}(?:newsletter|news|updates|offers|alerts)",
    r"subscribe (?:to|for) (?:our|my|this|the)\b.{0,40}(?:newsletter|channel|blog|feed|list|updates|podcast|magazine)",
    r"this site is protected by recaptcha",
    r"tweet this\b",
    r"we (?:value|respect) your privacy",
    r"your email address will not be published",
    r"第 ?[0-9]{1,5} ?[页頁](?:[ ,，/]*+共 ?[0-9]{1,5} ?[页頁])?$",
    r"共 ?[0-9]{1,5} ?[页頁]",
    r"上一[篇页頁章] ?[:：]",
    r"下一[篇页頁章] ?[:：]",
    r"相关(?:阅读|文章|新闻|链接) ?[:：]",
    r"推荐阅读 ?[:：]",
    r"点击(?:查看|阅读|下载|进入|这里|此处)",
    r"编辑 ?[:：].{1,20}$",
    r"来源 ?[:：].{1,20}$",
    r"责编 ?[:：].{1,20}$",
    r"分享(?:到|至) ?[:：]?",
    r"关注(?:我们|微信|公众号)",
    r"微信公众号 ?[:：]",
    r"扫描二维码",
    r"扫码关注",
    r"转载请(?:注明|联系)",
    r"未经(?:许可|允许|授权)[,，]?(?:不得|禁止|严禁|请勿)",
)
_AROUND = " \t\xa0\u3000-–—*•·|#>»›→▸▶◀←«‹<[]()【】（）「」:：.。…!！"


@section
class Boilerplate:
    """Removes short lines that are navigation, cookie and copyright notices, share buttons or page numbers.

    English and Chinese, with the commonest of German, French and Spanish. Drops a text of which nothing is left. Lines
    that are longer than `max_characters` stay whatever they say.
    """

    max_characters: Annotated[int, "longer lines are never removed", Ge(1)] = 120
    phrases: Annotated[tuple[str, ...], "more phrases: a short line that has one of these is removed"] = ()

    def apply(self, text: str) -> str | Drop:
        lowered = text.lower()
        anywhere = [phrase for phrase in (*_ANYWHERE, *map(str.lower, self.phrases)) if phrase in lowered]
        kept: list[str] = []
        removed = False  # since the last line that was kept
        count = 0
        for line, low in zip(text.split("\n"), lowered.split("\n"), strict=True):
            if low and len(low) <= self.max_characters and _is_furniture(low, anywhere):
                count += 1
                removed = True
            elif not (removed and (not line or line.isspace()) and (not kept or not kept[-1].strip())):
                # Of the blank lines around what is removed those in front stay.
                kept.append(line)
                removed = False
        if not count:
            return text
        return "\n".join(kept) if any(line.strip() for line in kept) else Drop("boilerplate.only")


def _is_furniture(line: str, anywhere: list[str]) -> bool:
    """Whether a line in lower case goes; `anywhere` are the phrases that the text has somewhere."""
    core = line.strip(_AROUND)
    if not core:
        return False
    if core in _WHOLE or any(phrase in line for phrase in anywhere):
        return True
    starts = _starts().get(core[0])
    if starts and starts.match(core):
        return True
    return len(core) <= 4 and core.isdecimal() and _is_page_number(line.strip())


def _is_page_number(line: str) -> bool:
    """- 12 -, but no bare number, which may be part of a table."""
    return line[0] in "-–—" and line[-1] in "-–—"


@functools.cache
def _starts() -> dict[str, re.Pattern[str]]:
    """The patterns of lines by their first character."""
    groups: dict[str, list[str]] = {}
    for pattern in _STARTS:
        groups.setdefault(pattern[0], []).append(pattern)
    return {first: re.compile("|".join(patterns)) for first, patterns in groups.items()}
