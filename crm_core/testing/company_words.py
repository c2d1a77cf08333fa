"""The words that invented companies and people are made of; pairs are English and Chinese."""

from __future__ import annotations

__all__ = [
    "CHINESE_FAMILIES", "CHINESE_GIVEN", "CITIES", "REGIONS", "ROLES", "STEMS", "SUBJECTS", "TAGS", "TRADES",
    "WESTERN_FAMILIES", "WESTERN_GIVEN",
]  # fmt: skip

REGIONS = ("North 北区", "East 东区", "South 南区", "West 西区")

# Two of them make a name, so that hardly any company of this name exists.
STEMS = (
    ("Amber", "珀"), ("Birch", "桦"), ("Brook", "溪"), ("Cedar", "柏"), ("Copper", "铜"), ("Crane", "鹤"),
    ("Dawn", "曙"), ("Elder", "桐"), ("Fern", "蕨"), ("Finch", "雀"), ("Flint", "燧"), ("Glade", "林"),
    ("Hazel", "榛"), ("Heron", "鹭"), ("Iron", "铁"), ("Jade", "珏"), ("Kestrel", "隼"), ("Lark", "鹨"),
    ("Maple", "枫"), ("Marsh", "沼"), ("Moon", "月"), ("Moth", "蛾"), ("Otter", "獭"), ("Pine", "松"),
    ("Plum", "梅"), ("Quartz", "英"), ("Raven", "鸦"), ("Reed", "苇"), ("Rowan", "楸"), ("Sable", "貂"),
    ("Salt", "盐"), ("Silver", "银"), ("Slate", "岩"), ("Sparrow", "莺"), ("Stone", "石"), ("Thistle", "蓟"),
    ("Tide", "潮"), ("Vale", "谷"), ("Willow", "柳"), ("Wren", "鹪"),
)  # fmt: skip

TRADES = (
    ("Bearings", "轴承", "machinery"), ("Castings", "铸造", "machinery"), ("Pumps", "泵业", "machinery"),
    ("Textiles", "纺织", "textiles"), ("Dye Works", "染整", "textiles"), ("Foods", "食品", "food and drink"),
    ("Brewing", "酿造", "food and drink"), ("Tea", "茶业", "food and drink"), ("Paper", "纸业", "paper"),
    ("Coatings", "涂料", "chemicals"), ("Plastics", "塑料", "chemicals"), ("Glass", "玻璃", "building materials"),
    ("Tiles", "瓷砖", "building materials"), ("Circuits", "电路", "electronics"), ("Optics", "光学", "electronics"),
    ("Homeware", "家居", "retail"), ("Markets", "超市", "retail"), ("Logistics", "物流", "transport"),
    ("Clinics", "诊所", "health"), ("Hotels", "酒店", "hospitality"),
)  # fmt: skip

CITIES = (
    ("Shanghai", "上海", "CN"), ("Beijing", "北京", "CN"), ("Guangzhou", "广州", "CN"), ("Shenzhen", "深圳", "CN"),
    ("Hangzhou", "杭州", "CN"), ("Suzhou", "苏州", "CN"), ("Chengdu", "成都", "CN"), ("Wuhan", "武汉", "CN"),
    ("Nanjing", "南京", "CN"), ("Qingdao", "青岛", "CN"), ("Xi'an", "西安", "CN"), ("Ningbo", "宁波", "CN"),
    ("Hamburg", "汉堡", "DE"), ("Rotterdam", "鹿特丹", "NL"), ("Lyon", "里昂", "FR"), ("Porto", "波尔图", "PT"),
)  # fmt: skip

TAGS = ("exhibition", "newsletter", "reference", "export", "seasonal", "family-owned")

CHINESE_FAMILIES = (
    ("Wang", "王"), ("Li", "李"), ("Zhang", "张"), ("Liu", "刘"), ("Chen", "陈"), ("Yang", "杨"), ("Zhao", "赵"),
    ("Huang", "黄"), ("Zhou", "周"), ("Wu", "吴"), ("Xu", "徐"), ("Sun", "孙"), ("Zeng", "曾"), ("Shan", "单"),
    ("Qiu", "仇"), ("Ou", "区"), ("Ouyang", "欧阳"), ("Sima", "司马"), ("Lü", "吕"), ("Xie", "解"),
)  # fmt: skip

CHINESE_GIVEN = (
    ("Jingyi", "静怡"), ("Haitao", "海涛"), ("Yutong", "雨桐"), ("Zhiyuan", "志远"), ("Ruoxi", "若溪"),
    ("Wenbo", "文博"), ("Siqi", "思齐"), ("Xiaolan", "晓岚"), ("Jingxing", "景行"), ("Yunshu", "云舒"),
    ("Liqun", "立群"), ("Mingzhe", "明哲"), ("Peilan", "佩兰"), ("Wei", "薇"), ("Jie", "杰"), ("Lei", "磊"),
)  # fmt: skip

WESTERN_GIVEN = (
    "Ada", "Bruno", "Clara", "David", "Elin", "Farid", "Greta", "Henrik", "Ines", "Jonas", "Katya", "Louis",
    "Marta", "Nils", "Olga", "Pedro",
)  # fmt: skip

WESTERN_FAMILIES = (
    "Abrams", "Bergström", "Castro", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ivanova", "Jansen",
    "Keller", "Lindgren", "Moreau", "Novak", "O'Neill", "Petrov",
)  # fmt: skip

ROLES = (
    ("purchasing manager", "Purchasing Manager"), ("purchasing agent", "Buyer"), ("technical", "Plant Engineer"),
    ("finance", "Controller"), ("owner", "Managing Director"), ("user", "Shift Supervisor"),
)  # fmt: skip

SUBJECTS = (
    "Introduction 初次拜访", "Offer 报价", "Yearly review 年度回顾", "Complaint 投诉", "Samples 样品",
    "Delivery dates 交期", "Trade fair 展会", "Payment 付款",
)  # fmt: skip
