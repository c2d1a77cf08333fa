"""Reading what somebody typed as pinyin: which syllables it may be made of."""

from __future__ import annotations

__all__ = ["SYLLABLES", "divided"]

_WORDS = """
    a ai an ang ao ba bai ban bang bao bei ben beng bi bian biao bie bin bing bo bu ca cai can cang cao ce cen ceng
    cha chai chan chang chao che chen cheng chi chong chou chu chua chuai chuan chuang chui chun chuo ci cong cou cu
    cuan cui cun cuo da dai dan dang dao de dei den deng di dia dian diao die ding diu dong dou du duan dui dun duo
    e ei en eng er fa fan fang fei fen feng fiao fo fou fu ga gai gan gang gao ge gei gen geng gong gou gu gua guai
    guan guang gui gun guo ha hai han hang hao he hei hen heng hong hou hu hua huai huan huang hui hun huo ji jia
    jian jiang jiao jie jin jing jiong jiu ju juan jue jun ka kai kan kang kao ke kei ken keng kong kou ku kua kuai
    kuan kuang kui kun kuo la lai lan lang lao le lei len leng li lia lian liang liao lie lin ling liu lo long lou
    lu luan lun luo lv lve ma mai man mang mao me mei men meng mi mian miao mie min ming miu mo mou mu na nai nan
    nang nao ne nei nen neng ni nian niang niao nie nin ning niu nong nou nu nuan nun nuo nv nve o ou pa pai pan
    pang pao pei pen peng pi pian piao pie pin ping po pou pu qi qia qian qiang qiao qie qin qing qiong qiu qu quan
    que qun ran rang rao re ren reng ri rong rou ru rua ruan rui run ruo sa sai san sang sao se sen seng sha shai
    shan shang shao she shei shen sheng shi shou shu shua shuai shuan shuang shui shun shuo si song sou su suan sui
    sun suo ta tai tan tang tao te tei teng ti tian tiao tie ting tong tou tu tuan tui tun tuo wa wai wan wang wei
    wen weng wo wu xi xia xian xiang xiao xie xin xing xiong xiu xu xuan xue xun ya yan yang yao ye yi yin ying yo
    yong you yu yuan yue yun za zai zan zang zao ze zei zen zeng zha zhai zhan zhang zhao zhe zhei zhen zheng zhi
    zhong zhou zhu zhua zhuai zhuan zhuang zhui zhun zhuo zi zong zou zu zuan zui zun zuo
"""
SYLLABLES = frozenset(_WORDS.split())
"""Every syllable that the readings of characters are written with, without tones; ü is *v*."""

_STARTS = frozenset(each[:end] for each in SYLLABLES for end in range(1, len(each) + 1))
_VOWELS = frozenset("aeiouv")
_LONGEST = 6
_MOST = 4


def divided(letters: str) -> list[tuple[str, ...]]:
    """The ways to read letters as syllables, fewest syllables first, at most four; the last may be unfinished.

    ``xian`` is *xian* or *xi an*; ``haie`` is *hai e...*. Letters without a vowel are no pinyin.
    """
    if not (letters.isascii() and letters.isalpha()) or _VOWELS.isdisjoint(letters):
        return []
    ways: list[list[tuple[str, ...]]] = [[] for _ in range(len(letters) + 1)]
    ways[0] = [()]
    last: list[tuple[str, ...]] = []
    for start in range(len(letters)):
        if not ways[start]:
            continue
        rest = letters[start:]
        if rest in _STARTS:
            last += [(*way, rest) for way in ways[start]]
        for size in range(1, min(_LONGEST, len(rest) - 1) + 1):
            if rest[:size] in SYLLABLES:
                reached = ways[start + size]
                reached += [(*way, rest[:size]) for way in ways[start]]
                ways[start + size] = sorted(reached, key=len)[:_MOST]
    return sorted(last, key=lambda way: (len(way), way))[:_MOST]
