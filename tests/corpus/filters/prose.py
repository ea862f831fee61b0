"""Ordinary text in four languages, which no quality rule has anything against."""

from __future__ import annotations

ENGLISH = """\
The ferry to the island leaves twice a day, once at dawn and once in the afternoon, when the wind has dropped.
Most of the people on board have made the crossing so often that nobody looks up when the harbour comes into sight.
A boy with a red bicycle stood near the bow and counted the gulls that followed us until he ran out of numbers.

Behind the last houses a narrow path climbs to the lighthouse, which has been empty since the keeper retired.
His daughter still opens the door on Sundays and shows visitors the great lamp, although it will never burn again.
From the gallery you can see the mainland as a thin grey line, and on clear evenings the lights of the capital.
"""

CHINESE = """\
每天清晨，渡船从小镇的码头出发，载着邮件、蔬菜和几个去岛上工作的人。
海面平静的时候，半个小时就能看见灯塔；如果起了大风，大家只好留在候船室里喝茶聊天。
船长在这条航线上开了三十年，他认识每一块礁石，也记得每一位老乘客的名字。

岛上的学校只有两间教室，一位年轻的女老师教所有年级的孩子读书写字。
放学以后，学生们跑到沙滩上捡贝壳，或者帮父母修补渔网。
今年春天，政府决定修建一座大桥，有人高兴，也有人担心安静的生活从此不再回来。
"""

JAPANESE = """\
毎朝六時に港を出る船は、島へ新聞と野菜を運び、帰りには魚を積んで戻ってくる。
海が静かな日には三十分で灯台が見えるが、風の強い日は待合室でお茶を飲むしかない。
船長はこの航路を三十年も走っていて、岩の場所も常連客の名前もすべて覚えている。

島の小学校には教室が二つしかなく、若い先生が一人で全学年の子どもたちを教えている。
授業が終わると、生徒は浜辺で貝を拾ったり、親の網の手入れを手伝ったりする。
今年の春に橋の建設が決まり、喜ぶ人もいれば、静かな暮らしが失われると心配する人もいる。
"""

THAI = """\
เรือข้ามฟากออกจากท่าทุกเช้า บรรทุกจดหมายและผักไปยังเกาะเล็กๆ ที่อยู่กลางทะเล
วันที่คลื่นลมสงบ ผู้โดยสารจะเห็นประภาคารภายในครึ่งชั่วโมง แต่ถ้าลมแรงทุกคนต้องรออยู่ที่ศาลา
กัปตันขับเรือเส้นทางนี้มานานสามสิบปี เขารู้จักโขดหินทุกก้อนและจำชื่อคนเก่าแก่ได้ทั้งหมด

โรงเรียนบนเกาะมีห้องเรียนเพียงสองห้อง ครูสาวคนหนึ่งสอนนักเรียนทุกชั้น
หลังเลิกเรียนเด็กๆ วิ่งไปเก็บเปลือกหอยบนหาดทราย หรือช่วยพ่อแม่ซ่อมแหจับปลา
ปีนี้รัฐบาลตัดสินใจสร้างสะพาน บางคนดีใจมาก บางคนกังวลว่าชีวิตอันเงียบสงบจะหายไป
"""

PROSE = {"en": ENGLISH, "zh": CHINESE, "ja": JAPANESE, "th": THAI}
